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
        self._held: list[Process] = []
        self._deadline = 0.0

    def collect(self, pids: Collection[int], process_group: int, patience: float) -> None:
        """Hold those of `pids` in the group; after `patience` seconds they are ended by `mind`."""
        self.release()
        for pid in pids:
            stat = self._system.stat(pid)
            if stat and stat.pgrp == process_group and stat.forked_only:
                held = self._system.hold(pid, stat.start)
                if held:
                    self._held.append(held)
        self._deadline = self._system.clock() + patience

    def mind(self) -> bool:
        """End those that outstay their requests or exec'd; True while any is left."""
        late = self._system.clock() >= self._deadline
        for orphan in self._held:
            stat = self._system.stat(orphan.pid)
            if orphan.alive() and stat and (late or not stat.forked_only):
                self._kill(orphan)
        for orphan in [o for o in self._held if not o.alive()]:
            self._held.remove(orphan)
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
        self._held = []
