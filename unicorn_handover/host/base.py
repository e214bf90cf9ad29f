"""What a program knows about its host."""

from __future__ import annotations

import abc
from collections.abc import Collection
from logging import ERROR

from ..kernel.system import System
from .guard import contained
from .loop import Loop
from .presence import Presence


class Host(abc.ABC):
    """One supervisor: what its programs need of it, and where hosts differ."""

    daemon: str  # the name of its process, for log lines

    def __init__(self, system: System, loop: Loop) -> None:
        self.system = system
        self.loop = loop
        self.presence = Presence(system.clock)  # of the driver

    @abc.abstractmethod
    def known_pids(self) -> Collection[int]:
        """The pids of all that the host has started or adopted, of whatever program."""

    @abc.abstractmethod
    def log(self, level: int, text: str) -> None:
        """Write a line to the host's log; levels are those of the module `logging`."""

    def failed(self, text: str) -> None:
        """Log a contained error of this plugin."""
        self.log(ERROR, text)

    def strangers(self) -> list[int]:
        """The pids of this process's children that belong to no program yet."""
        known = self.known_pids()
        return [pid for pid in self.system.own_children() if pid not in known]

    @contained()
    def become_subreaper(self) -> None:
        """Make this process the parent of the masters that re-executed masters leave behind."""
        try:
            self.system.become_subreaper()
        except OSError as error:
            self.log(
                ERROR,
                f"{self.daemon} cannot become a subreaper ({error}), so it will lose the master at "
                "a restart; run it where prctl is allowed",
            )
