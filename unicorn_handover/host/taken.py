"""The pid files whose computed paths only a server's own refusal shows."""

from __future__ import annotations

import os

from ..kernel.pid_file import PidFile
from ..kernel.system import System
from ..model.record import MasterId
from ..servers import Server


class TakenPidFiles:
    """The paths that a program's new masters have found taken; the next ones need not find it.

    paths: in the order in which they were learned, absolute.
    """

    def __init__(self, system: System) -> None:
        self.paths: list[str] = []
        self._system = system

    def learn(self, server: Server, old: MasterId, written: str) -> str:
        """The path for which a new master has refused to start, by what it has written, or "".

        Only a file that holds the pid of the master `old` counts, and each only once: a new master
        that finds it taken again is not helped by the same step.
        """
        here = self._system.working_directory(old.pid)
        for pid, name in server.lines.taken.findall(written):
            path = os.path.join(here, name)
            if int(pid) == old.pid and path not in self.paths and PidFile(path).names(old.pid):
                self.paths.append(path)
                return path
        return ""
