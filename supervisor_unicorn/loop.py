"""supervisord's poll loop, as this package waits on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from unicorn_handover.host.guard import contained
from unicorn_handover.host.loop import Call
from unicorn_handover.host.timers import Timers

Due = list[tuple["Watched", Call]]


class Watched:
    """A descriptor among supervisord's own dispatchers, which are asked what they wait for.

    due: where the calls of this turn are noted. They are made when supervisord has read all that
    can be read: a call may reap a program, and so read the last of its pipes; supervisord, coming
    to such a pipe and finding it empty, would take it for closed.
    """

    def __init__(self, descriptor: int, call: Call, due: Due) -> None:
        self.descriptor = descriptor
        self.writer: Call | None = None
        self.is_due = False
        self._reader = call
        self._due = due

    def readable(self) -> bool:
        """True unless it was seen to be readable, and that was not handled yet."""
        return not self.is_due

    def writable(self) -> bool:
        """True while a caller waits to write."""
        return self.writer is not None

    def handle_read_event(self) -> None:
        """Note it."""
        self.is_due = True
        self._due.append((self, self._reader))

    def handle_write_event(self) -> None:
        """Note it, once."""
        writer, self.writer = self.writer, None
        if writer:
            self._due.append((self, writer))

    def handle_error(self) -> None:
        """Supervisor calls this if one of the above raises; none does."""


class PollLoop:
    """Watches descriptors beside supervisord's HTTP servers, whose map is asyncore's.

    The processes of this package `turn` it in each turn of supervisord's own loop, which comes
    once a second at least. `failed` takes a line about a call that raised.
    """

    def __init__(
        self, options: Any, clock: Callable[[], float], failed: Callable[[str], None]
    ) -> None:
        self.failed = failed
        self._poller = options.poller
        self._map: dict[int, Any] = options.get_socket_map()
        self._watched: dict[int, Watched] = {}
        self._due: Due = []
        self._timers = Timers(clock)

    def watch(self, descriptor: int, call: Call) -> None:
        """Call at each turn in which the descriptor can be read, until `unwatch`."""
        self._watched[descriptor] = self._map[descriptor] = Watched(descriptor, call, self._due)

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more; to be called before it is closed."""
        if self._watched.pop(descriptor, None):
            self._map.pop(descriptor, None)
            # Another descriptor may get this number before the loop polls again.
            for forget in (self._poller.unregister_readable, self._poller.unregister_writable):
                with contextlib.suppress(Exception):
                    forget(descriptor)

    def when_writable(self, descriptor: int, call: Call) -> None:
        """Call once, as soon as a watched descriptor can be written."""
        self._watched[descriptor].writer = call

    def after(self, seconds: float, call: Call) -> Call:
        """Call once, in the first turn after so many seconds. Returns what cancels that."""
        return self._timers.after(seconds, call)

    def turn(self) -> None:
        """Make the calls that are due. Each process does so: it costs nothing if none is."""
        due = self._due[:]
        self._due.clear()
        for watched, call in due:
            watched.is_due = False
            if self._watched.get(watched.descriptor) is watched:
                self._make(call)
        self._timers.ring(self._make)

    @contained()
    def _make(self, call: Call) -> None:
        call()

    def close(self) -> None:
        """Watch nothing more: a supervisord that is reloaded keeps the map."""
        for descriptor in list(self._watched):
            self.unwatch(descriptor)
