"""A loop of `selectors`, for a host that has none of its own."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections.abc import Callable, Iterable

from .guard import contained
from .loop import Call
from .timers import Timers


class SelectorLoop:
    """Calls what was asked for when a descriptor is ready, a time has come or a signal was sent.

    `clock` gives seconds of CLOCK_MONOTONIC. `failed` takes a line about a call that raised.
    """

    def __init__(self, clock: Callable[[], float], failed: Callable[[str], None]) -> None:
        self.failed = failed
        self._timers = Timers(clock)
        self._selector = selectors.DefaultSelector()
        self._readers: dict[int, Call] = {}
        self._writers: dict[int, Call] = {}

    def watch(self, descriptor: int, call: Call) -> None:
        """Call at each turn in which the descriptor can be read, until `unwatch`."""
        self._selector.register(descriptor, selectors.EVENT_READ)
        self._readers[descriptor] = call

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more; to be called before it is closed."""
        if self._readers.pop(descriptor, None):
            self._writers.pop(descriptor, None)
            self._selector.unregister(descriptor)

    def when_writable(self, descriptor: int, call: Call) -> None:
        """Call once, as soon as a watched descriptor can be written."""
        self._writers[descriptor] = call
        self._selector.modify(descriptor, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def after(self, seconds: float, call: Call) -> Call:
        """Call once, when so many seconds have passed. Returns what cancels that."""
        return self._timers.after(seconds, call)

    def on_signals(self, numbers: Iterable[signal.Signals], call: Callable[[int], None]) -> None:
        """Call with the number of each of these signals, from now on. In the main thread only."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

        def read() -> None:
            for number in os.read(reader, 512):
                call(number)

        self.watch(reader, read)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in numbers:  # without a handler nothing is written to the pipe
            signal.signal(number, lambda *_: None)

    def turn(self) -> None:
        """Wait until something is to be called, and call it."""
        ready = [(key.fd, events) for key, events in self._selector.select(self._timers.pause)]
        calls = [(fd, events, self._readers[fd]) for fd, events in ready]
        for descriptor, events, reader in calls:
            # Another call of this turn may have closed it, and opened another by its number.
            if self._readers.get(descriptor) is reader:
                self._serve(descriptor, events, reader)
        self._timers.ring(self._make)

    def _serve(self, descriptor: int, events: int, reader: Call) -> None:
        if events & selectors.EVENT_WRITE:
            self._selector.modify(descriptor, selectors.EVENT_READ)
            self._make(self._writers.pop(descriptor))
        if events & selectors.EVENT_READ and self._readers.get(descriptor) is reader:
            self._make(reader)

    @contained()
    def _make(self, call: Call) -> None:
        with contextlib.suppress(BlockingIOError):  # it was ready, and is no more
            call()
