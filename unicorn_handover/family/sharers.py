"""Processes that share a program's listening sockets and have exec'd: they end with the program.

Such a process may be a new master that no proof has found yet, or a program that a new master has
started: a re-executed unicorn does not make the sockets that it inherited close-on-exec.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..kernel.process import Process
from ..kernel.system import System
from .members import proven


class Sharers:
    """The sharers of one family's sockets, held from the moment that the family is to stop."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._sockets: frozenset[int] = frozenset()
        self._held: dict[tuple[int, int], Process] = {}

    def gather(self, master: int) -> None:
        """Hold all below a living master, at any depth; remember its sockets for those to come."""
        self._sockets |= self._system.listening_sockets(master)
        self._hold(_descendants(self._system, master))

    def take(self, strangers: Collection[int]) -> list[Process]:
        """Return the living sharers, also those among `strangers`, for the caller to close."""
        self._hold(strangers)
        held, self._held = self._held.values(), {}
        living = []
        for process in held:  # each is asked once: it may end at any moment
            if process.alive():
                living.append(process)
            else:
                process.close()
        return living

    def release(self) -> None:
        """Give the descriptors back."""
        for process in self._held.values():
            process.close()
        self._held = {}

    def _hold(self, pids: Collection[int]) -> None:
        for held in proven(self._system, pids if self._sockets else (), self._is_new):
            self._held[held.pid, held.start] = held

    def _is_new(self, process: Process) -> bool:
        """True for one that shares a socket and is not held yet."""
        stat = self._system.stat(process.pid)
        if stat is None or stat.ended or stat.forked_only:
            return False
        if (process.pid, process.start) in self._held:
            return False
        return bool(self._system.sockets(process.pid) & self._sockets)


def _descendants(system: System, pid: int) -> list[int]:
    return [pid for child in system.children(pid) for pid in _with_descendants(system, child)]


def _with_descendants(system: System, pid: int) -> Iterator[int]:
    yield pid
    yield from _descendants(system, pid)
