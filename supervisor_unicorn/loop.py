"""supervisord's poll loop, as this package waits on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from unicorn_handover.host.guard import contained
from unicorn_handover.host.loop import Call
from unicorn_handover.host.timers import Timers


class Watched:
    """A descriptor among supervisord's own dispatchers, which are asked what they wait for.

    due: where those of this turn are noted. They are called when supervisord has read all that can
    be read: a call may reap a program, and so read the last of its pipes; supervisord, coming to
    such a pipe and finding it empty, would take it for closed.
    """

    def __init__(
        self, descriptor: int, call: Call, due: list[Watched], writes: bool = False
    ) -> None:
        self.descriptor = descriptor
        self.call = call
        self.is_due = False
        self._due = due
        self._writes = writes

    def readable(self) -> bool:
        """True to be told that it can be read; False where that was not handled yet."""
        return not (self._writes or self.is_due)

    def writable(self) -> bool:
        """The same of writing."""
        return self._writes and not self.is_due

    def handle_read_event(self) -> None:
        """Note it."""
        self.is_due = True
        self._due.append(self)

    def handle_write_event(self) -> None:
        """Note it."""
        self.handle_read_event()

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
        self._copies: dict[int, int] = {}  # of descriptors that a caller waits to write to
        self._due: list[Watched] = []
        self._timers = Timers(clock)

    def watch(self, descriptor: int, call: Call) -> None:
        """Call at each turn in which the descriptor can be read, until `unwatch`."""
        self._add(Watched(descriptor, call, self._due))

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more; to be called before it is closed."""
        self._close_copy(descriptor)
        if self._watched.pop(descriptor, None):
            self._map.pop(descriptor, None)
            # Another descriptor may get this number before the loop polls again.
            for forget in (self._poller.unregister_readable, self._poller.unregister_writable):
                with contextlib.suppress(Exception):
                    forget(descriptor)

    def when_writable(self, descriptor: int, call: Call) -> None:
        """Call once, as soon as a watched descriptor can be written. Raises OSError.

        Its copy is watched for that: supervisord polls a descriptor for reading or for writing, not
        for both (PollPoller.register_writable), and the driver reads nothing while it waits for
        what it has said to be read.
        """
        self._close_copy(descriptor)
        copy = self._copies[descriptor] = os.dup(descriptor)

        def written() -> None:
            self._close_copy(descriptor)
            call()

        self._add(Watched(copy, written, self._due, writes=True))

    def _add(self, watched: Watched) -> None:
        self._watched[watched.descriptor] = self._map[watched.descriptor] = watched

    def _close_copy(self, descriptor: int) -> None:
        copy = self._copies.pop(descriptor, None)
        if copy is not None:
            self.unwatch(copy)
            os.close(copy)

    def after(self, seconds: float, call: Call) -> Call:
        """Call once, in the first turn after so many seconds. Returns what cancels that."""
        return self._timers.after(seconds, call)

    def turn(self) -> None:
        """Make the calls that are due. Each process does so: it costs nothing if none is."""
        due = self._due[:]
        self._due.clear()
        for watched in due:
            watched.is_due = False
            if self._watched.get(watched.descriptor) is watched:
                self._make(watched.call)
        self._timers.ring(self._make)

    @contained()
    def _make(self, call: Call) -> None:
        call()

    def close(self) -> None:
        """Watch nothing more: a supervisord that is reloaded keeps the map."""
        for descriptor in list(self._watched):
            self.unwatch(descriptor)
