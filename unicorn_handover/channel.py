"""The two ends of the socket between a host and its driver. Neither ever waits for the other.

What the host says is all that it wants driven, so a message not sent yet is replaced by the next
one. What the driver says are records, and each is in the kernel's hands before it is acted upon: it
reaches the host although the driver was killed right after.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from collections.abc import Callable, Mapping
from typing import Any

from ._version import __version__
from .driver import Driver, Orders
from .record import Record
from .system import System, readable

LARGEST = 1 << 20  # bytes of one message
AT_ONCE = 100  # messages that are read before the host's loop gets its turn


class HostEnd:
    """The end in the host, which is read and written whenever the host's loop says so.

    `hear` is given every message. `log` takes a line that is worth an operator's look.
    """

    def __init__(
        self,
        channel: socket.socket,
        hear: Callable[[dict[str, Any]], None],
        log: Callable[[str], None],
    ) -> None:
        channel.setblocking(False)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        self._channel = channel
        self._hear = hear
        self._log = log
        self._unsent: bytes | None = None

    def fileno(self) -> int:
        """The socket's descriptor, -1 after `close`."""
        return self._channel.fileno()

    @property
    def has_more(self) -> bool:
        """True while there is something to say that the socket did not take yet."""
        return self._unsent is not None

    @property
    def has_unread(self) -> bool:
        """True while the driver has said something that was not taken yet."""
        return readable(self._channel.fileno())

    def say(self, message: dict[str, Any]) -> None:
        """Send a message now or, when the socket takes it again, by `flush`."""
        self._unsent = json.dumps(message).encode()
        self.flush()

    def flush(self) -> None:
        """Send what is to be said, if the socket takes it."""
        if self._unsent is None:
            return
        try:
            self._channel.send(self._unsent)
        except BlockingIOError:
            return
        except OSError as error:  # the driver is gone; the host hears of that in a moment
            self._log(f"cannot speak to the driver: {error}")
        self._unsent = None

    def read(self) -> bool:
        """Take what the driver said; False when it has closed its end."""
        for _ in range(AT_ONCE):
            try:
                packet = self._channel.recv(LARGEST)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not packet:
                return False
            self._take(packet)
        return True

    def _take(self, packet: bytes) -> None:
        try:
            self._hear(json.loads(packet))
        except Exception as error:  # whatever the driver says, the host must stay up
            self._log(f"cannot use what the driver said: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Close the socket."""
        self._channel.close()


class DriverEnd:
    """The end in the driver's process, and its loop.

    `inputs` are further descriptors that the loop is to mind, each with what to call when it can be
    read; a call that returns False ends the loop.
    """

    def __init__(
        self, channel: socket.socket, inputs: Mapping[int, Callable[[], bool]] | None = None
    ) -> None:
        self._channel = channel
        self._readers = {**(inputs or {}), channel.fileno(): self._take_orders}
        self._driver = Driver(System(), self._report)
        self._ended = False

    def run(self) -> None:
        """Drive handovers until the host closes the channel."""
        self._say({"driver": __version__})
        with selectors.DefaultSelector() as selector:
            for descriptor in self._readers:
                selector.register(descriptor, selectors.EVENT_READ)
            while not self._ended:
                self._driver.wait(selector)
                for key, _ in selector.select(0):
                    self._ended |= not self._readers[key.fd]()
                self._driver.step()
        self._driver.close()

    def _report(self, record: Record) -> None:
        self._say({"record": record.to_json()})

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._channel.send(json.dumps(message).encode())
        except OSError:  # the host is gone
            self._ended = True

    def _take_orders(self) -> bool:
        """Follow the newest orders. Older ones are dropped: they may hold what was cancelled."""
        newest = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = self._receive()
                if not packet:
                    return False
                newest = packet
        if newest:
            self._driver.take(Orders.from_json(json.loads(newest)))
        return True

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(LARGEST, socket.MSG_DONTWAIT)
        except ConnectionError:
            return b""
