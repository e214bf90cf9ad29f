"""The runner's log: its standard error, which may be a pipe that nobody reads for a while."""

from __future__ import annotations

import sys
from collections import deque

from unicorn_handover.errors import complain
from unicorn_handover.host.loop import Loop
from unicorn_handover.host.timer import Timer
from unicorn_handover.kernel.readiness import writable

MOST = 1000  # lines that wait for a reader; the oldest are dropped then
PAUSE = 0.2  # seconds between two looks whether it reads again


class Log:
    """Writes lines in their order, and never waits: the runner would take no signal meanwhile."""

    def __init__(self, loop: Loop) -> None:
        self._lines: deque[str] = deque(maxlen=MOST)
        self._again = Timer(loop)

    def write(self, line: str) -> None:
        """Write a line as soon as standard error takes it."""
        self._lines.append(line)
        self._flush()

    def _flush(self) -> None:
        while self._lines and (sys.stderr is None or writable(sys.stderr)):
            complain(self._lines.popleft())
        if self._lines:
            self._again.start(PAUSE, self._flush)
