"""The timers of a loop that has none of its own."""

from __future__ import annotations

from collections.abc import Callable

from .loop import Call


class Timers:
    """Calls to be made once, each at its moment of `clock`, which gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls: dict[object, tuple[float, Call]] = {}

    def after(self, seconds: float, call: Call) -> Call:
        """Let `ring` call once, when so many seconds have passed. Returns what cancels that."""
        timer = object()
        self._calls[timer] = self._clock() + seconds, call

        def cancel() -> None:
            self._calls.pop(timer, None)

        return cancel

    @property
    def pause(self) -> float | None:
        """Seconds until the next one is due, None if there is none."""
        moments = [moment for moment, _ in self._calls.values()]
        return max(0.0, min(moments) - self._clock()) if moments else None

    def ring(self, make: Callable[[Call], None]) -> None:
        """Have `make` make the calls that are due, the earliest first: one may cancel another."""
        if not self._calls:
            return
        now = self._clock()
        for timer, (moment, call) in sorted(self._calls.items(), key=lambda one: one[1][0]):
            if moment <= now and timer in self._calls:
                del self._calls[timer]
                make(call)
