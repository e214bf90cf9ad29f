"""How one program outlives its host: what is remembered of it, and how the next host finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import INFO, WARNING
from typing import Any, Protocol

from ..errors import Refused, raised
from ..family import members
from ..kernel.pid_file import PidFile
from ..kernel.process import Process
from ..model.options import Options
from ..model.record import MasterId
from ..servers import recognise
from .base import Host
from .beside import Beside
from .guard import contained
from .handover_notes import restore, resume, state_of
from .handovers import Handovers
from .held import HeldSockets
from .master import Master
from .notes import Note
from .orphans import MindedOrphans
from .pid_files import MovedPidFiles
from .proof import hold_proven, left_in_group
from .supervised import Supervised

ENDED = "the program ended while no host was there"


@dataclass(frozen=True)
class Survivor:
    """A program as an earlier host has left it.

    master: the living one, None if there is none; group: its process group. note: what was
    remembered. was_beside: whether it is the one that was started beside a master that has died.
    """

    note: Note
    master: MasterId | None
    group: int
    was_beside: bool = False


class Remembered(Protocol):
    """What is remembered of a program, as `Program` has it."""

    name: str
    options: Options
    handovers: Handovers
    orphans: MindedOrphans
    beside: Beside
    held: HeldSockets


class Survival:
    """What of one program is remembered, and found again.

    ending: how the host ends it now, see `Note`. left: to be left running when the host ends.
    `living` gives the living master. `log` takes a level and a line.
    """

    def __init__(
        self,
        host: Host,
        program: Remembered,
        living: Callable[[], Master | None],
        supervised: Callable[[], Supervised],
        log: Callable[[int, str], None],
    ) -> None:
        self.failed = host.failed
        self.ending = ""
        self.left = False
        self._stopped = False
        self._sought = False  # what is there by now is this host's own
        self._is_over = False
        self._host = host
        self._program = program
        self._living = living
        self._supervised = supervised
        self._log = log

    @contained()
    def note(self) -> None:
        """Remember the program as it is at this moment."""
        notes, master, program = self._host.notes, self._living(), self._program
        if notes is None or self._is_over:
            return
        if master:
            self._stopped = False
        if not self._program.options.survive or (self._host.is_ending and master is None):
            notes.remove(self._program.name)
            if self._host.is_ending and notes.are_gone:
                self._host.close_notes()
            return
        notes.write(
            Note(
                self._program.name,
                master.id if master else None,
                master.group if master else 0,
                state_of(program.handovers),
                program.beside.state(),
                self.ending,
                self._stopped,
                self.left,
                self._supervised().remembered() if master else {},
                program.orphans.ids,
            )
        )

    @contained()
    def note_child(self, child: MasterId, moved: Mapping[str, Any] | None = None) -> None:
        """In a child that leads a group of its own and executes its command next: remember it.

        For a host that learns of the child only then, and may be killed before. `moved` are the pid
        files that were moved for it, if it is started beside the running master.
        """
        notes, master = self._host.notes, self._living()
        if notes is None or not self._program.options.survive:
            return
        name, state = self._program.name, state_of(self._program.handovers)
        own, left = self._supervised().remembered(), self._program.orphans.ids
        if moved is None:
            notes.write_as_child(Note(name, child, child.pid, state, own=own, orphans=left))
        elif master:
            beside = {"pid": child.pid, "start": child.start, **moved}
            note = Note(name, master.id, master.group, state, beside, own=own, orphans=left)
            notes.write_as_child(note)

    def begins(self) -> None:
        """Note that the program is about to be started."""
        self.ending, self._stopped, self.left = "", False, False
        if self._host.notes:
            self._host.notes.doubt(self._program.name)

    def stopping(self) -> None:
        """Note that the program is being ended; the end of an earlier host goes on as such."""
        self.ending = "shutdown" if self._host.is_ending or self.ending == "shutdown" else "stop"
        self.note()

    def lost(self) -> None:
        """Note that it has no master any more."""
        if self.ending:
            self._stopped, self.ending = self.ending == "stop", ""
        self.note()

    def ask_to_leave(self) -> str:
        """Let the program run on when the host ends the next time; return why it cannot, or ""."""
        if self._living() is None:
            return "it is not running"
        if not self._program.options.survive:
            return "survive = no, so the next host would not find it"
        if self._host.notes is None:
            return "nothing can be remembered for the next host; see its log"
        self.left = True
        self.note()
        if self._host.notes.has(self._program.name):
            return ""
        self.left = False
        self.note()  # or it would be written later, and the next host take that for meant
        return "its file cannot be written; see the host's log"

    def leave(self) -> None:
        """Remember it for the last time: its host ends without it."""
        self.left = False  # that was for this end alone
        self.note()
        self._is_over = True

    def forget(self) -> None:
        """Forget the program: it is managed no more. Its end, which may come later, is no news."""
        self._is_over = True
        if self._host.notes:
            self._host.notes.remove(self._program.name)

    @property
    def stays_stopped(self) -> bool:
        """True if it was stopped by command, and not started since."""
        return self._stopped

    @contained()
    def find(self) -> Survivor | None:
        """The program as an earlier host has left it, None if that has left nothing.

        Its handovers are as they were from now on. What a dead master has left behind is an orphan.
        """
        notes, self._sought = None if self._sought else self._host.notes, True
        note = notes.read(self._program.name) if notes and not self._living() else None
        if note is None:
            return None
        self._restore(note)
        try:
            found = self._found(note)
        except Refused as why:
            self._log(WARNING, f"{why}; it is not touched")
            self._program.handovers.lost(ENDED)
            return None
        survivor = Survivor(note, None, 0)
        if found:
            process, group, was_beside = found
            survivor = Survivor(note, MasterId(process.pid, process.start), group, was_beside)
            process.close()
            self._mind_deserted(note)
            self._log(INFO, f"taken over: pid {process.pid}, which an earlier host has started")
        elif note.master:
            self._lose(note)
        was_stopped = note.stopped or note.ending == "stop"
        self._stopped = was_stopped and survivor.master is None
        self.ending = note.ending if survivor.master else ""
        self.left = note.left and survivor.master is not None
        return survivor

    @contained()
    def _mind_deserted(self, note: Note) -> None:
        """End the workers of another master that died while no host was there."""
        orphans, patience = self._program.orphans, self._program.options.drain_timeout
        for group in (note.group, int(note.beside.get("pid", 0))):
            orphans.keep(members.deserted_workers(self._host.system, group), patience)

    def _restore(self, note: Note) -> None:
        self._program.orphans.recall(note.orphans, self._program.options.drain_timeout)
        try:
            restore(self._program.handovers, note.handovers)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._log(WARNING, f"its earlier handovers are not known any more: {raised(error)}")

    def _found(self, note: Note) -> tuple[Process, int, bool] | None:
        """Hold the master that lives, or its successor; its process group; if it was beside it."""
        if note.master is None:
            return None
        held = self._proven(note.master, note.group)
        if held:
            return held, note.group, False
        new = self._program.handovers.new_master_of(note.master.pid)
        held = self._proven(new) if new else None
        if held:
            was_beside = note.beside.get("pid") == held.pid
            return held, held.pid if was_beside else note.group, was_beside
        pids = left_in_group(self._host, note.master, note.group)
        held = members.successor_among(self._host.system, pids, note.master.pid, note.group, None)
        if held and held.start >= note.master.start:
            return held, note.group, False
        return None

    def _proven(self, master: MasterId, group: int = 0) -> Process | None:
        words = self._supervised().command_in_force().words
        return hold_proven(self._host, master, group, words)

    def _lose(self, note: Note) -> None:
        """See to what a master has left that died while no host was there."""
        assert note.master
        self._log(INFO, f"pid {note.master.pid} ended while no host was there")
        pids = left_in_group(self._host, note.master, note.group)
        left = self._program.orphans.left_in(note.group, pids)
        self._program.held.left.orphaned(left)
        self._program.orphans.keep(left, self._program.options.drain_timeout)
        self._clear(note.master.pid)
        self._program.handovers.lost(ENDED)

    @contained()
    def resume(self, survivor: Survivor) -> None:
        """Go on with the handover that was under way: its master is held by now."""
        master = survivor.master
        assert master
        if not survivor.was_beside:
            self._restore_beside(survivor.note)
        elif survivor.note.beside:
            MovedPidFiles.restored(survivor.note.beside).forget(master.pid)
        living = self._living()
        second = living.successor() if living else None
        resume(self._program.handovers, self._host.system.clock(), master, second)
        running = self._program.handovers.running
        if running:  # the killed host may have been asked to start a master, and not have done so
            self._host.loop.after(0, lambda: self._program.beside.reported(running))

    @contained()
    def _restore_beside(self, note: Note) -> None:
        self._program.beside.restore(note.beside)

    @contained()
    def ended(self, master: Master) -> None:
        """See to it that a dead survivor is no obstacle to the next master.

        Its parent, init, may leave it a zombie for a while, and both servers take one for a master
        that runs if their pid file names it (HttpServer#valid_pid?, Pidfile.validate).
        """
        if not master.is_child:
            self._clear(master.pid)

    def _clear(self, pid: int) -> None:
        command, system = self._supervised().command_in_force(), self._host.system
        server = recognise(command.words)
        paths = list(filter(None, [self._program.options.pidfile]))
        if server:
            words = command.words, command.directory, command.environ
            paths += server.pid_files(system, *words)
        for path in paths:
            file = PidFile(path)
            file.remove(pid)
            file.forget(pid)
