"""The host's end of the socket to the driver, in circusd's loop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from circus import logger

from unicorn_handover.host.channel import HostEnd


class LoopEnd(HostEnd):
    """An end that is read and written when Tornado's loop says so, until the driver has gone.

    `went` is called then, once.
    """

    def __init__(
        self,
        channel: socket.socket,
        loop: Any,
        hear: Callable[[dict[str, Any]], None],
        went: Callable[[LoopEnd], None],
    ) -> None:
        super().__init__(channel, hear, logger.error)
        self._loop = loop
        self._went = went
        loop.add_handler(channel.fileno(), self._ready, loop.READ)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message as soon as the socket takes it, in place of one not sent yet."""
        super().say(message)
        self._wait()

    def _ready(self, descriptor: int, events: int) -> None:
        if not self.read():
            self.close()
            self._went(self)
        elif self.fileno() >= 0:
            self.flush()
            self._wait()

    def _wait(self) -> None:
        loop = self._loop
        loop.update_handler(self.fileno(), loop.READ | (loop.WRITE if self.has_more else 0))

    def close(self) -> None:
        """Leave the loop and close the socket."""
        if self.fileno() >= 0:
            self._loop.remove_handler(self.fileno())
            super().close()
