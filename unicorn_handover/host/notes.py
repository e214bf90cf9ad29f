"""What a host remembers of its programs, for the host that is started when it was killed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from logging import INFO, WARNING
from signal import SIGQUIT
from typing import Any

from ..errors import Refused, printable
from ..kernel.private_folder import PrivateFolder, file_name
from ..kernel.system import System
from ..model.record import MasterId
from ..servers import recognise

BOOT_ID = "/proc/sys/kernel/random/boot_id"  # start times are those of one boot: random(4)
VERSION = 1


@dataclass(frozen=True)
class Note:
    """What is remembered of one program.

    master: None while it has none; group: its process group. handovers: see `handover_notes`.
    beside: the master that the host has started beside it, see `Beside.state`. ending: how the host
    ends it, "stop" by command or "shutdown". stopped: whether it has ended so, by command. left: to
    run on without its host. own: what the host itself needs. orphans: what its dead masters have
    left.
    """

    program: str
    master: MasterId | None = None
    group: int = 0
    handovers: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)
    ending: str = ""
    stopped: bool = False
    left: bool = False
    own: dict[str, Any] = field(default_factory=dict)
    orphans: list[MasterId] = field(default_factory=list)

    @property
    def masters(self) -> list[MasterId]:
        """The program's master, and the new master of the handover that was under way."""
        known = [self.master] if self.master else []
        with contextlib.suppress(AttributeError, TypeError, ValueError):  # it may be nonsense
            new = (self.handovers.get("running") or {}).get("new")
            known += [MasterId(*map(int, new))] if new else []
        return known

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Note:
        """Read one. Raises KeyError, TypeError or ValueError if it is none."""
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        master = known.pop("master", None)
        orphans = [MasterId(*map(int, each)) for each in known.pop("orphans", [])]
        note = cls(master=master and MasterId(*map(int, master)), orphans=orphans, **known)
        for name, kind in (("program", str), ("group", int), ("ending", str)):
            if not isinstance(getattr(note, name), kind):
                raise TypeError(name)
        for name in ("handovers", "beside", "own"):
            if not isinstance(getattr(note, name), dict):
                raise TypeError(name)
        return note


class Notes:
    """The notes of one host, each a file. `log` takes a level and a line.

    identity: what no other host has in common with this one. What cannot be read is nothing, and
    what cannot be written is reported once: the host goes on.
    """

    def __init__(
        self,
        folder: PrivateFolder,
        identity: str,
        system: System,
        log: Callable[[int, str], None],
    ) -> None:
        self._folder = folder
        self._log = log
        self._system = system
        self._head = {
            "version": VERSION,
            "boot": system.text_of(BOOT_ID).strip(),
            "host": identity,
        }
        self._known: dict[str, bytes] = {}  # what the file of each program is to hold
        self._written: set[str] = set()  # the programs whose file holds that
        self._fails = False

    def write(self, note: Note) -> None:
        """Remember a program just so."""
        self._hold_folder()
        self.write_as_child(note)

    def write_as_child(self, note: Note) -> None:
        """The same in a child of the host: a folder made there would be held until its exec."""
        data = json.dumps({**self._head, **vars(note)}).encode()
        if self._known.get(note.program) != data or not self.has(note.program):
            self._known[note.program] = data
            self._write(note.program)

    def keep(self) -> None:
        """Write what could not be written, or was taken away since. To be called often."""
        self._hold_folder()
        for program in [program for program in self._known if not self.has(program)]:
            if not self._write(program):
                return

    def _hold_folder(self) -> None:
        if self._folder.is_held:
            return
        self._written.clear()
        try:
            self._folder.make()
        except Refused as why:  # another host has it by now, say
            self._complain(str(why))
        else:
            path = printable(self._folder.path)
            self._log(WARNING, f"{path} was taken away, and is made again")

    def _write(self, program: str) -> bool:
        """Write the file of a program, False if that cannot be."""
        self._written.discard(program)
        try:
            self._folder.write(_file(program), self._known[program])
        except OSError as error:
            self._complain(error.strerror or str(error))
            return False
        self._written.add(program)
        self._fails = self._fails and not self._written.issuperset(self._known)
        return True

    def _complain(self, why: str) -> None:
        if not self._fails:
            self._log(
                WARNING,
                f"cannot write in {printable(self._folder.path)} ({why}), so a killed host could "
                "lose its programs; free the disk, or set state",
            )
        self._fails = True

    def has(self, program: str) -> bool:
        """True if what was to be remembered last of a program is in its file."""
        return program in self._written

    def doubt(self, program: str) -> None:
        """Write it the next time in any case: a child of this process may write it meanwhile."""
        self._written.discard(program)

    def read(self, program: str) -> Note | None:
        """What an earlier host, or this one, remembered of a program; None if nothing."""
        return self._read(_file(program), program)

    def report_others(self, programs: Collection[str]) -> None:
        """Log what runs on of programs that are not among these; forget what has ended."""
        known = {_file(program) for program in programs}
        for name in self._folder.names():
            note = None if name in known else self._read(name)
            living = [master.pid for master in note.masters if self._lives(master)] if note else []
            if note and living:
                self._log(WARNING, self._orphaned(note.program, living))
            elif note:
                self._folder.remove(name)

    def _orphaned(self, program: str, pids: Sequence[int]) -> str:
        server = recognise(self._system.command_line(pids[0]))
        graceful = server.graceful if server else SIGQUIT
        return (
            f"{printable(program)} is not configured any more, and runs on as pid "
            f"{' and pid '.join(map(str, pids))}, left by an earlier host; configure it again, or "
            f"end it with `kill -{graceful.name[3:]} {' '.join(map(str, pids))}`"
        )

    def _lives(self, master: MasterId) -> bool:
        held = self._system.hold(*master)
        if held:
            held.close()
        return held is not None

    @property
    def are_gone(self) -> bool:
        """True if nothing is remembered."""
        return not self._folder.names()

    def remove(self, program: str) -> None:
        """Forget a program."""
        self._known.pop(program, None)
        self._written.discard(program)
        self._folder.remove(_file(program))

    def release(self) -> None:
        """Let another host have them."""
        self._folder.release()

    def _read(self, name: str, program: str | None = None) -> Note | None:
        try:
            data = self._folder.read(name)
            return None if data is None else self._parsed(data, name, program)
        except Refused as why:
            path = printable(f"{self._folder.path}/{name}")
            self._log(WARNING, f"{path} is not used: {why}")
            return None

    def _parsed(self, data: bytes, name: str, program: str | None) -> Note | None:
        try:
            fields = json.loads(data)
            head = {key: fields[key] for key in self._head}
            note = Note.from_json(fields)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Refused("it was not written by unicorn-handover") from None
        if head["version"] != VERSION or head["host"] != self._head["host"]:
            raise Refused("it is another version's or another host's")
        if name != _file(note.program) or program not in (None, note.program):
            raise Refused("it is another program's")
        if head["boot"] != self._head["boot"]:
            self._log(INFO, f"{printable(note.program)}: the machine was booted since it ran")
            self._folder.remove(name)
            return None
        return note


def _file(program: str) -> str:
    return f"{file_name(program)}.json"
