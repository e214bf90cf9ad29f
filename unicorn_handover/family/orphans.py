"""What a master leaves behind when it dies without a successor: its workers, which serve on.

One of them may be a new master between its fork and its exec, and so become a second family.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection

from ..kernel.process import Process
from ..kernel.system import System
from ..model.record import MasterId
from ..servers import orphan_ends_by
from . import members
from .killing import kill_with_workers


class Orphans:
    """The orphans of one program, held until they are gone. `log` takes a line for an operator."""

    def __init__(self, system: System, log: Callable[[str], None]) -> None:
        self._system = system
        self._log = log
        self._held: dict[Process, float] = {}  # with the moment when they are ended
        self._killed: set[Process] = set()  # one that waits in the kernel lives on for a while

    def left_in(self, process_group: int, pids: Collection[int]) -> list[Process]:
        """Hold those of `pids` in the group that have not exec'd, or are in the middle of that.

        To be called before the search for a new master: a process that execs in between is held by
        this call and found by that search. In the middle of an exec the command line is empty, and
        nothing is proven.
        """
        known = {(orphan.pid, orphan.start) for orphan in self._held}
        left = []
        for pid in pids:
            stat = self._system.stat(pid)
            if not stat or (pid, stat.start) in known:
                continue
            if not members.is_of_group(stat, process_group):
                continue
            if stat.forked_only or not any(self._system.command_line(pid)):
                held = self._system.hold(pid, stat.start)
                left += [held] if held else []
        return left

    @property
    def ids(self) -> list[MasterId]:
        """The pid and start time of each that is held."""
        return [MasterId(orphan.pid, orphan.start) for orphan in self._held]

    def held_before(self, ids: Collection[MasterId]) -> list[Process]:
        """Hold those that an earlier host has held, and that have not exec'd since."""
        forks = [each for each in ids if (stat := self._system.stat(each.pid)) and stat.forked_only]
        return [held for each in forks if (held := self._system.hold(*each))]

    def keep(self, left: list[Process], patience: float) -> None:
        """Keep what `left_in` held; after `patience` seconds `mind` kills it.

        The orphans of earlier masters stay held: the program may have been started and have crashed
        again while one of them was still about to exec. An orphan that would not end by itself gets
        a signal to end after its requests.
        """
        for orphan in left:
            signum = orphan_ends_by(self._system, orphan.pid)
            with contextlib.suppress(PermissionError):  # `mind` tells of it, once it is late
                if signum:
                    orphan.signal(signum)
        self._held.update(dict.fromkeys(left, self._system.clock() + patience))

    def keep_workers(self, left: list[Process], patience: float) -> None:
        """Keep those of what `left_in` held that a server's dead master has left to serve on.

        The others are an application's, whose program goes on.
        """
        serving = [each for each in left if orphan_ends_by(self._system, each.pid)]
        for each in left:
            if each not in serving:
                each.close()
        self.keep(serving, patience)

    def mind(self) -> bool:
        """Kill orphans that exec'd or outlived their time. Return True while any remain."""
        for orphan, deadline in list(self._held.items()):
            stat = self._system.stat(orphan.pid)
            late = self._system.clock() >= deadline
            if orphan.alive() and stat and (late or not stat.forked_only):
                self._kill(orphan)
            if not orphan.alive():
                del self._held[orphan]
                self._killed.discard(orphan)
                orphan.close()
        return bool(self._held)

    @property
    def hopeless(self) -> bool:
        """True if all that are left were killed, or may not be, and yet live."""
        return self._killed.issuperset(self._held)

    def kill(self) -> None:
        """Kill all that are left, now."""
        for orphan in self._held:
            if orphan.alive():
                self._kill(orphan)

    def _kill(self, orphan: Process) -> None:
        if orphan in self._killed:
            return
        self._killed.add(orphan)
        self._log(f"killing pid {orphan.pid}, left behind by a dead master")
        try:
            kill_with_workers(self._system, orphan)
        except PermissionError as why:  # it has become another user's; the others have not
            self._log(f"{why}; end it as its user or root, `kill -KILL {orphan.pid}`")

    def release(self) -> None:
        """Give the descriptors back."""
        for orphan in self._held:
            orphan.close()
        self._held = {}
        self._killed = set()
