"""The log files that a program's masters write themselves, past their host."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..errors import printable
from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..model.excerpt import TAIL, Tail, cause, excerpt
from ..model.record import Record

STANDARD_ERROR = 2  # the descriptor


class LogFiles:
    """The files that masters have open for writing, each from a mark on.

    A new master opens the files that the old one has open, but for a changed configuration: so the
    marks are made at the old one, before the new one is there.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._marks: dict[str, int] = {}

    def mark(self, *masters: Process | None) -> None:
        """Read the masters' files from their present ends on."""
        for master in filter(None, masters):
            for path, size in self._system.written_files(master.pid).items():
                self._marks.setdefault(path, size)

    def expect_in(self, directory: str, old: Process) -> None:
        """Read what a new master writes there, if a deploy has put that in the place of the old's.

        Under the names that the old one's files have in its own directory: the new one may be gone
        before its descriptors can be seen.
        """
        here, there = self._system.working_directory(old.pid), self._system.real_path(directory)
        if there == here:
            return
        for path in self._system.written_files(old.pid):
            if path.startswith(f"{here}/"):
                moved = there + path[len(here) :]
                self._marks.setdefault(moved, self._system.size_of(moved))

    def add(self, new: Process) -> None:
        """Read what only the new master has open as well. Its lines may be there already."""
        for path, size in self._system.written_files(new.pid).items():
            self._marks.setdefault(path, max(0, size - TAIL))

    def cause(self, record: Record) -> tuple[str, ...]:
        """The excerpt of the files that explains a failure, or where the output went instead."""
        excerpts = self._excerpts(members.writers_but(self._system, record))
        return cause(record.reason, excerpts, lambda: elsewhere(self._system, record.old.pid))

    def _excerpts(self, old: Collection[int]) -> Iterator[tuple[str, ...]]:
        return (excerpt(self._read(*mark), old) for mark in self._marks.items())

    def _read(self, path: str, start: int) -> str:
        tail = Tail()
        tail.add(b"".join(self._system.chunks_of(path, start)))  # searched from its end
        return tail.text


def elsewhere(system: System, master: int) -> str:
    """Where a master's standard error goes if that is neither the host nor a file; else "".

    A start script may send it to a program of its own: `exec > >(logger -t web) 2>&1`. What is the
    host's own standard error as well, the host itself shows.
    """
    target, host = system.opened(master, STANDARD_ERROR), system.parent()
    if target == "/dev/null" != system.opened(host, STANDARD_ERROR):
        return f"the standard error of pid {master} is {target}, so the cause is not shown here"
    if not target.startswith("pipe:") or _has(system, host, target):
        return ""
    near = [*system.children(master), *system.children(host)]  # the latter after a handover
    readers = [pid for pid in near if _has(system, pid, target, to_read=True)]
    shown = [f"pid {pid} ({printable(' '.join(system.command_line(pid)), 80)})" for pid in readers]
    return (
        f"the standard error of pid {master} goes to {shown[0] if shown else 'another program'}, "
        "past the host; look there for the cause"
    )


def _has(system: System, pid: int, pipe: str, to_read: bool = False) -> bool:
    """True if a process has an end of a pipe open, or if that is not ours to see."""
    ends = system.pipe_ends(pid)
    return ends is None or pipe in ends.read or (pipe in ends.written and not to_read)
