"""circusd's loop, as this package waits on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from unicorn_handover.host.guard import contained
from unicorn_handover.host.loop import Call


class CircusLoop:
    """Tornado's loop of the arbiter of the moment: a restart of circusd makes another arbiter.

    `failed` takes a line about a call that raised.
    """

    tornado: Any

    def __init__(self, failed: Callable[[str], None]) -> None:
        self.failed = failed
        self._readers: dict[int, Call] = {}
        self._writers: dict[int, Call] = {}

    def watch(self, descriptor: int, call: Call) -> None:
        """Call at each turn in which the descriptor can be read, until `unwatch`."""
        self._readers[descriptor] = call
        self.tornado.add_handler(descriptor, self._ready, self.tornado.READ)

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more; to be called before it is closed."""
        self._readers.pop(descriptor, None)
        self._writers.pop(descriptor, None)
        with contextlib.suppress(Exception):  # it was another loop's
            self.tornado.remove_handler(descriptor)

    def when_writable(self, descriptor: int, call: Call) -> None:
        """Call once, as soon as a watched descriptor can be written."""
        self._writers[descriptor] = call
        self.tornado.update_handler(descriptor, self.tornado.READ | self.tornado.WRITE)

    def after(self, seconds: float, call: Call) -> Call:
        """Call once, when so many seconds have passed. Returns what cancels that."""
        loop = self.tornado
        timer = loop.call_later(seconds, self._make, call)
        return lambda: loop.remove_timeout(timer)

    def _ready(self, descriptor: int, events: int) -> None:
        writer = self._writers.pop(descriptor, None) if events & self.tornado.WRITE else None
        if writer:
            self.tornado.update_handler(descriptor, self.tornado.READ)
            self._make(writer)
        reader = self._readers.get(descriptor)
        if reader and events & ~self.tornado.WRITE:
            self._make(reader)

    @contained()
    def _make(self, call: Call) -> None:
        call()
