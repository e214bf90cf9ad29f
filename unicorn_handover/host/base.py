"""What a program knows about its host."""

from __future__ import annotations

import abc
from collections.abc import Collection
from logging import ERROR, WARNING

from ..errors import Refused
from ..kernel.private_folder import PrivateFolder
from ..kernel.system import System
from .guard import contained
from .loop import Loop
from .notes import Notes
from .presence import Presence


class Host(abc.ABC):
    """One supervisor: what its programs need of it, and where hosts differ."""

    daemon: str  # the name of its process, for log lines
    notes: Notes | None = None  # None while nothing can be remembered
    is_ending = False  # it was told to end, or to begin anew
    _is_short = False  # it had no descriptor left, when that was last asked

    def __init__(self, system: System, loop: Loop) -> None:
        self.system = system
        self.loop = loop
        self.presence = Presence(system.clock)  # of the driver
        system.keep_spare()

    @abc.abstractmethod
    def known_pids(self) -> Collection[int]:
        """The pids of all that the host has started or adopted, of whatever program."""

    @abc.abstractmethod
    def log(self, level: int, text: str) -> None:
        """Write a line to the host's log; levels are those of the module `logging`."""

    def failed(self, text: str) -> None:
        """Log a contained error of this plugin."""
        self.log(ERROR, text)

    def strangers(self, group: int = 0) -> list[int]:
        """The pids of this process's children that belong to no program yet.

        `group` is the process group of a master that is no child of this process: what that has
        left are not its children either, but still in its group.
        """
        known = self.known_pids()
        members = self.system.group_members(group) if group > 1 else []
        pids = dict.fromkeys([*self.system.own_children(), *members])
        return [pid for pid in pids if pid not in known]

    @contained()
    def open_notes(self, state: str, *identity: str) -> None:
        """Begin to remember the programs for the next host, and to know them from the last one.

        state: the folder, "" for the default. identity: what no other host has in common with this.
        """
        name = " ".join(identity)
        try:
            folder = PrivateFolder(state, name)
        except Refused as why:
            self.log(
                WARNING,
                f"a killed {self.daemon} would lose its programs, for they cannot be remembered: "
                f"{why}; set state to a folder of its user's own",
            )
        else:
            self.notes = Notes(folder, name, self.system, self.log)

    @contained()
    def upkeep(self) -> None:
        """See to what this host itself needs, its notes and descriptors. To be called often."""
        if self.notes:
            self.notes.keep()
        was_short, self._is_short = self._is_short, not self.system.keep_spare()
        if self._is_short and not was_short:
            limit = self.system.descriptor_limit()
            self.log(
                WARNING,
                f"{self.daemon} has none of its {limit} descriptors left but a few in reserve, and "
                "can start nothing; raise its limit (minfds in [supervisord], LimitNOFILE, ulimit)",
            )

    def close_notes(self) -> None:
        """Let another host have what is remembered."""
        notes, self.notes = self.notes, None
        if notes:
            notes.release()

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
