"""The files that a program's masters write themselves, past their host."""

from __future__ import annotations

from collections.abc import Collection

from ..kernel.system import System
from ..model.excerpt import TAIL, Tail, excerpt, most_telling


class LogFiles:
    """The files that masters have open for writing, each from a mark on.

    A new master opens the files that the old one has open, but for a changed configuration: so the
    marks are made at the old one, before the new one is there.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._marks: dict[str, int] = {}

    def mark(self, pid: int) -> None:
        """Read a master's files from their present ends on."""
        for path, size in self._system.written_files(pid).items():
            self._marks.setdefault(path, size)

    def look(self, pid: int) -> None:
        """Read what only the new master has open as well. Its lines may be there already."""
        for path, size in self._system.written_files(pid).items():
            self._marks.setdefault(path, max(0, size - TAIL))

    def excerpt(self, old: Collection[int]) -> tuple[str, ...]:
        """What others than the processes `old` wrote: the excerpt that tells most."""
        return most_telling(excerpt(self._read(*mark), old) for mark in self._marks.items())

    def _read(self, path: str, start: int) -> str:
        tail = Tail()
        for chunk in self._system.chunks_of(path, start):
            tail.add(chunk)
        return tail.text
