"""The driver's end of the socket to its host, and the loop of the driver's process."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import stat
from collections.abc import Callable, Mapping
from typing import Any

from .._version import __version__
from ..kernel.system import System
from ..model.orders import CHANNEL_FD, LARGEST, Orders
from ..model.packets import Assembly
from ..model.record import Record
from .scheduler import Driver


def inherited_channel() -> socket.socket | None:
    """The end of the channel that a host has given to this process, None if none has."""
    try:
        if not stat.S_ISSOCK(os.fstat(CHANNEL_FD).st_mode):
            return None
        os.set_inheritable(CHANNEL_FD, False)
        return socket.socket(fileno=CHANNEL_FD)
    except OSError:
        return None


class HostGone(BaseException):
    """The host has ended. What it was not told must not be done: its successor has a driver too.

    No Exception, for whoever contains those goes on.
    """


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
        self._assembly = Assembly()
        self._system = System()
        self._driver = Driver(self._system, self._report)
        self._ended = False

    def run(self) -> None:
        """Drive handovers until the host closes the channel."""
        # Each new worker of every program is held, a gunicorn's by two descriptors.
        self._system.raise_descriptor_limit()
        # Closed after an error as well: a master that was stopped for a moment goes on.
        with contextlib.closing(self._driver), contextlib.suppress(HostGone):
            self._run()

    def _run(self) -> None:
        self._say({"driver": __version__})
        with selectors.DefaultSelector() as selector:
            for descriptor in self._readers:
                selector.register(descriptor, selectors.EVENT_READ)
            while not self._ended:
                ready = self._driver.wait(selector)
                for descriptor in ready & self._readers.keys():
                    self._ended |= not self._readers[descriptor]()
                if not self._ended:  # else the next host's driver acts, and not this one
                    self._driver.step(ready)

    def _report(self, record: Record) -> None:
        self._say({"record": record.to_json()})

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._channel.send(json.dumps(message).encode())
        except OSError:
            raise HostGone from None

    def _take_orders(self) -> bool:
        """Follow the newest orders. Older ones are dropped: they may hold what was cancelled."""
        newest = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = self._receive()
                if not packet:
                    return False
                newest = self._assembly.add(packet) or newest
        if newest:
            self._driver.take(Orders.from_json(json.loads(newest)))
        return True

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(LARGEST, socket.MSG_DONTWAIT)
        except ConnectionError:
            return b""
