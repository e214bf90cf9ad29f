"""A process of a made-up kernel, and what holds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from signal import (
    SIGCONT,
    SIGKILL,
    SIGSTOP,
    Signals,
)
from types import SimpleNamespace
from typing import TYPE_CHECKING

from unicorn_handover.kernel.pipes import PipeEnds

if TYPE_CHECKING:
    from .fake_system import FakeSystem


@dataclass
class Fake:
    """One process. `obey` is called with each signal but SIGKILL; what it does is the server's."""

    pid: int
    start: int
    ppid: int
    forked: bool
    words: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    sockets: set[int] = field(default_factory=set)
    inodes: set[int] = field(default_factory=set)  # of its sockets
    close_on_exec: set[int] = field(default_factory=set)  # of these
    catches: set[Signals] = field(default_factory=set)
    blocks: set[Signals] = field(default_factory=set)
    heartbeats: dict[int, tuple[float, int]] = field(default_factory=dict)  # time, mode by inode
    pages: dict[int, bool | None] = field(default_factory=dict)  # shared with its forks; used?
    memory: dict[int, tuple[int, ...]] = field(default_factory=dict)  # of such a page
    pipes: PipeEnds | None = PipeEnds(frozenset(), frozenset())  # None if not ours to look at
    pgrp: int = 0
    reaped_faults: int = 0
    alive: bool = True
    status: int = 0  # how it ended
    is_ending: bool = False  # it was killed, and is not dead yet
    obey: Callable[[Signals], None] = lambda number: None
    cwd: str = "/"
    read: int = 1 << 20  # bytes
    writes: list[str] = field(default_factory=list)  # paths of files
    opened: dict[int, str] = field(default_factory=dict)  # what some descriptors name
    executable: str = "/bin/sh"
    executed_as: str = ""
    mapped: list[str] = field(default_factory=list)
    owner: int = 0


class FakeHandle:
    """What `System.hold` returns."""

    def __init__(self, system: FakeSystem, fake: Fake) -> None:
        self.pid, self.start = fake.pid, fake.start
        self._system, self._fake = system, fake
        self._open = True
        system.open_handles += 1

    def fileno(self) -> int:
        return self.pid if self._open else -1

    def alive(self) -> bool:
        return self._open and self._fake.alive

    def signal(self, number: Signals) -> bool:
        if not self.alive():
            return False
        if self.pid in self._system.others:
            raise PermissionError(f"user 1000 may not signal pid {self.pid}")
        self._system.signals.append((number.name[3:], self.pid))
        if number == SIGKILL:
            if self.pid not in self._system.unkillable:
                self._system.end(self._fake)
        elif number == SIGSTOP:
            if self._system.stops_at_once:
                self._system.stopped.add(self.pid)
        elif number == SIGCONT:
            self._system.stopped.discard(self.pid)
        else:
            self._fake.obey(number)
        return True

    def wait_status(self) -> int | None:
        return None if self._fake.alive or not self._system.tells_ends else self._fake.status

    def reaped(self) -> FakeReaped:
        return FakeReaped(self._system, self.pid)

    def close(self) -> None:
        self._system.open_handles -= self._open
        self._open = False


class FakeReaped:
    """What `Process.reaped` returns: the loop calls for it in its next turn."""

    def __init__(self, system: FakeSystem, pid: int) -> None:
        self._system, self._pid = system, pid
        system.open_handles += 1

    def fileno(self) -> int:
        return -self._pid  # not its pidfd

    def close(self) -> None:
        self._system.open_handles -= 1


class FakeFile:
    """What `System.keep_file` returns: a heartbeat file, which some processes had open then."""

    def __init__(self, system: FakeSystem, inode: int) -> None:
        self._system, self._inode = system, inode
        had = [fake.heartbeats for fake in system.processes.values()]
        self._files = [files for files in had if inode in files]

    def status(self) -> SimpleNamespace:
        time, mode = next(files[self._inode] for files in self._files if self._inode in files)
        return SimpleNamespace(st_mtime=time, st_mode=mode)

    def close(self) -> None:
        self._system.open_handles -= 1


class FakeNames:
    """What `System.keep_names` returns: `unlinked` are those that are gone now."""

    def __init__(self, system: FakeSystem, paths: set[str]) -> None:
        self.kept = paths
        self.lost: list[str] = []
        self.left: bool | None = None  # whether the second links were left, in the end
        self._system = system

    def fileno(self) -> int:
        return -1

    def restore(self) -> None:
        self._system.unlinked -= self.kept

    def release(self, unlink: bool = True) -> None:
        self.kept, self.left = set(), not unlink


class FakeRun:
    """What `System.run_as` returns: a command that ends when it is told to."""

    def __init__(self) -> None:
        self.ended = False
        self.status = 0
        self.output = ""
        self.told: tuple[object, ...] = ()  # the arguments of `System.run_as`
        self.closed = False

    def close(self) -> None:
        self.closed = True
