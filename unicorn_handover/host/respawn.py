"""When a child of the host that has ended is started again."""

from __future__ import annotations

from collections.abc import Callable
from logging import WARNING

from .base import Host
from .timer import Timer

STABLE = 10.0  # seconds that a child lives, if it is not in a crash loop
LONGEST = 60.0  # seconds between two starts in a crash loop


class Respawn:
    """The next start of one child: at once, or after pauses that are doubled in a crash loop."""

    def __init__(self, host: Host, start: Callable[[], None]) -> None:
        self._host = host
        self._start = start
        self._timer = Timer(host.loop)
        self._since = 0.0
        self._pause = 0.0

    def started(self) -> None:
        """Note that the child is being started."""
        self._timer.stop()
        self._since = self._host.system.clock()

    def later(self, why: str) -> None:
        """Start it when it is due. `why` begins the line that says so."""
        lived = self._host.system.clock() - self._since
        self._pause = 0.0 if lived >= STABLE else min(max(1.0, 2 * self._pause), LONGEST)
        self._host.log(WARNING, f"{why}; it is started again in {self._pause:g} s")
        self._timer.start(self._pause, self._start)
