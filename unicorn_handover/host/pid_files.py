"""The pid files that a new master, started by the host, would find to name the running one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..kernel.pid_file import PidFile
from ..kernel.system import System
from ..model.record import MasterId
from ..servers import SERVERS, Server


class MovedPidFiles:
    """The pid files of the master `owner` that were moved aside, until put back or forgotten."""

    def __init__(self, server: Server, owner: int, paths: Iterable[str] = ()) -> None:
        self._server = server
        self._owner = owner
        self._files = [PidFile(path) for path in paths]

    def move(self, path: str) -> None:
        """Move one aside, if it names the owner. Raises Refused."""
        file = PidFile(path)
        if file.move_aside(self._owner):
            self._files.append(file)

    def put_back(self) -> None:
        """Undo all moves: the new master has ended, or was not started."""
        for file in self._files:
            file.put_back(self._owner)

    def forget(self, new: int) -> None:
        """Drop the moved files: the old master has ended, and the master `new` has replaced it."""
        for file in self._files:
            file.forget(self._owner)
            if self._server.unlinks_pid_file:
                file.write_if_gone(new)

    def state(self) -> dict[str, Any]:
        """What is to be remembered, in plain types."""
        paths = [file.path for file in self._files]
        return {"server": self._server.name, "owner": self._owner, "moved": paths}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> MovedPidFiles:
        """The pid files that another host has moved. Raises KeyError, TypeError or ValueError."""
        return cls(SERVERS[state["server"]], int(state["owner"]), list(map(str, state["moved"])))


class TakenPidFiles:
    """The paths that a program's new masters have found taken, so that the next ones do not.

    They are computed by the configuration: only a server's own refusal shows them. paths: in the
    order in which they were learned, absolute.
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
