"""The host's end of the socket to its driver. Neither side ever waits for the other.

What the host says is all that it wants driven, so a message not sent yet is replaced by the next
one. What the driver says are records, and each is in the kernel's hands before it is acted upon: it
reaches the host although the driver was killed right after.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from logging import ERROR
from typing import Any

from ..errors import raised
from ..kernel.readiness import readable
from ..model.orders import LARGEST
from ..model.packets import packets_of
from .loop import Loop

AT_ONCE = 0.05  # seconds of reading before the host's loop gets its turn


class HostEnd:
    """The end in the host, read and written on the host's loop until the driver has closed its own.

    `hear` is called with each message, `went` once, when the driver has closed its end. `log`
    takes a level of the module `logging`, and a line. What is read at once is heard `together`. A
    message may have the host start a master, so only as many are read at once as `clock` allows.
    """

    def __init__(
        self,
        channel: socket.socket,
        loop: Loop,
        hear: Callable[[HostEnd, dict[str, Any]], None],
        went: Callable[[HostEnd], None],
        log: Callable[[int, str], None],
        together: Callable[[], contextlib.AbstractContextManager[None]],
        clock: Callable[[], float],
    ) -> None:
        channel.setblocking(False)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        self._channel = channel
        self._loop = loop
        self._hear = hear
        self._went = went
        self._log = log
        self._together = together
        self._clock = clock
        self._unsent: bytes | None = None
        self._rest: list[bytes] = []  # packets of a message of which the socket took the first
        loop.watch(channel.fileno(), self.read)

    @property
    def is_open(self) -> bool:
        """True until `close`."""
        return self._channel.fileno() >= 0

    @property
    def has_unread(self) -> bool:
        """True while the driver has said something that was not taken yet."""
        return self.is_open and readable(self._channel.fileno())

    def say(self, message: dict[str, Any]) -> None:
        """Send a message as soon as the socket takes it, in place of one not sent yet."""
        self._unsent = json.dumps(message).encode()
        self._send()

    def _send(self) -> None:
        try:
            while self.is_open and (self._rest or self._unsent):
                self._send_packet()
        except BlockingIOError:
            self._loop.when_writable(self._channel.fileno(), self._send)
        except OSError as error:
            self._rest, self._unsent = [], None
            if not isinstance(error, (BrokenPipeError, ConnectionResetError)):
                self._log(ERROR, f"cannot speak to the driver: {error}")
            # else the driver has ended, and the loop tells that in a moment

    def _send_packet(self) -> None:
        if self._rest:
            self._channel.send(self._rest[0])
            del self._rest[0]
        elif self._unsent:
            first, *rest = packets_of(self._unsent)
            self._channel.send(first)
            self._unsent, self._rest = None, rest

    def read(self) -> None:
        """Take what the driver said; close this end if the driver has closed its own.

        What is left is taken in the loop's next turn.
        """
        until = self._clock() + AT_ONCE
        with self._together():
            while self._take_next() and self._clock() < until:
                pass

    def read_rest(self) -> None:
        """Take all that an ended driver said."""
        with self._together():
            while self._take_next():
                pass

    def _take_next(self) -> bool:
        """Take one message; False if there is none."""
        if not self.is_open:  # what was said before has led to that
            return False
        try:
            packet = self._channel.recv(LARGEST)
        except BlockingIOError:
            return False
        except ConnectionResetError:  # raised once, before unread data (measured), if the driver
            return True  # closed its end and had not read all itself
        except OSError:
            packet = b""
        if packet:
            self._take(packet)
            return True
        self.close()
        self._went(self)
        return False

    def _take(self, packet: bytes) -> None:
        try:
            self._hear(self, json.loads(packet))
        except Exception as error:  # whatever the driver says, the host must stay up
            self._log(ERROR, f"cannot use what the driver said: {raised(error)}")

    def close(self) -> None:
        """Leave the loop and close the socket. May be called twice."""
        if self.is_open:
            self._loop.unwatch(self._channel.fileno())
            self._channel.close()
