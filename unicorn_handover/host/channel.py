"""The host's end of the socket to its driver. Neither side ever waits for the other.

What the host says is all that it wants driven, so a message not sent yet is replaced by the next
one. What the driver says are records, and each is in the kernel's hands before it is acted upon: it
reaches the host although the driver was killed right after.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

from ..kernel.process import readable
from ..model.orders import LARGEST

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
