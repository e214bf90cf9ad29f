"""What a master leaves behind when it dies without a successor: its workers, which serve on.

One of them may be a new master between its fork and its exec, and so become a second family.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection

from . import family
from .system import Process, System


class Orphans:
    """Those of one program, held until they are gone. `log` takes a line for the operator."""

    def __init__(self, system: System, log: Callable[[str], None]) -> None:
        self._system = system
        self._log = log
        self._held: dict[Process, float] = {}  # with the moment when they are ended

    def collect(self, pids: Collection[int], process_group: int, patience: float) -> None:
        """Hold those of `pids` in the group, too; after `patience` seconds `mind` ends them.

        Those of a master before this one stay held: the program may have been started and have
        crashed again while one of them was still about to exec.
        """
        known = {(orphan.pid, orphan.start) for orphan in self._held}
        for pid in pids:
            stat = self._system.stat(pid)
            if not stat or stat.pgrp != process_group or not stat.forked_only:
                continue
            held = None if (pid, stat.start) in known else self._system.hold(pid, stat.start)
            if held:
                self._held[held] = self._system.clock() + patience

    def mind(self) -> bool:
        """End those that outstay their requests or exec'd; True while any is left."""
        for orphan, deadline in list(self._held.items()):
            stat = self._system.stat(orphan.pid)
            late = self._system.clock() >= deadline
            if orphan.alive() and stat and (late or not stat.forked_only):
                self._kill(orphan)
            if not orphan.alive():
                del self._held[orphan]
                orphan.close()
        return bool(self._held)

    def kill(self) -> None:
        """End all that are left, now."""
        for orphan in self._held:
            if orphan.alive():
                self._kill(orphan)

    def _kill(self, orphan: Process) -> None:
        self._log(f"killing pid {orphan.pid}, left behind by a dead master")
        for worker in family.forked_by(self._system, orphan.pid):
            worker.signal(signal.SIGKILL)
            worker.close()
        orphan.signal(signal.SIGKILL)

    def release(self) -> None:
        """Give the descriptors back."""
        for orphan in self._held:
            orphan.close()
        self._held = {}
