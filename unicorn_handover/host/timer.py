"""One timer on a host's loop."""

from __future__ import annotations

from .loop import Call, Loop


class Timer:
    """Runs at most once at a time: a start takes the place of the one before it."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._cancel: Call | None = None

    @property
    def runs(self) -> bool:
        """True from a start until its call, or until it is stopped."""
        return self._cancel is not None

    def start(self, seconds: float, call: Call) -> None:
        """Call once, in so many seconds."""

        def ring() -> None:
            self._cancel = None
            call()

        self.stop()
        self._cancel = self._loop.after(seconds, ring)

    def stop(self) -> None:
        """Cancel the call. May be called twice."""
        cancel, self._cancel = self._cancel, None
        if cancel:
            cancel()
