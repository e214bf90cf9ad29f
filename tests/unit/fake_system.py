"""A kernel made of dictionaries: replaces `unicorn_handover.kernel.system.System` whole."""

from __future__ import annotations

import heapq
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from signal import (
    Signals,
)
from types import SimpleNamespace
from typing import Any

from unicorn_handover.kernel.pipes import PipeEnds
from unicorn_handover.kernel.procfs import PF_EXITING, PF_FORKNOEXEC, SignalMasks, Stat

from .fake_process import Fake, FakeFile, FakeHandle, FakeNames, FakeRun

TICKS = 100  # a second


class FakeSystem:
    """The clock moves only in `advance_to`, and what was planned happens then."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.is_subreaper = False
        self.processes: dict[int, Fake] = {}
        self.files: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.gone = {"/nosuch"}  # all other paths are there
        self.changes: dict[str, float] = {}  # of files, in ticks
        self.signals: list[tuple[str, int]] = []
        self.open_handles = 0
        self.listening_inodes: frozenset[int] = frozenset()  # their inodes
        self.tells_ends = True  # the wait status of processes that are gone
        self.unkillable: set[int] = set()
        self.others: set[int] = set()  # another user's, that may not be signalled
        self.listening: dict[int, list[Any]] = {}  # listeners, by the pid of their owner
        self.names: FakeNames | None = None
        self.run: FakeRun | None = None  # what every command is
        self.stops_at_once = True
        self.unlinked: set[str] = set()
        self.is_short = False  # of descriptors
        self.file_ids: dict[str, tuple[int, int]] = {}  # by path
        self.answered: set[str] = set()  # paths of sockets that somebody listens on
        self.denied = ""  # why nobody's listeners can be copied
        self.searches: list[tuple[int, tuple[int, ...]]] = []  # for listeners: of whom, known ones
        self.stopped: set[int] = set()
        self.zombies: set[int] = set()  # that their parent has not waited for
        self._pids = itertools.count(100)
        self._order = itertools.count()
        self._plan: list[tuple[float, int, Callable[[], None]]] = []

    # -- what a history is made of ---------------------------------------------------------------

    def add(self, **fields: object) -> Fake:
        """Start a process: of its parent's group, or of its own if its parent is none of these."""
        pid, parent = next(self._pids), self.processes.get(fields["ppid"])  # type: ignore[call-overload]
        fields.setdefault("pgrp", parent.pgrp if parent else pid)
        fake = Fake(pid=pid, start=self.ticks(self.now), **fields)  # type: ignore[arg-type]
        self.processes[fake.pid] = fake
        return fake

    def end(self, fake: Fake, status: int = 0) -> None:
        """End a process; it is reaped at once, and its children go to pid 1."""
        fake.alive, fake.status = False, status
        self.processes.pop(fake.pid, None)
        if fake.ppid in self.processes:
            self.processes[fake.ppid].reaped_faults += 100
        for other in self.processes.values():
            other.ppid = 1 if other.ppid == fake.pid else other.ppid

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Plan something."""
        heapq.heappush(self._plan, (self.now + seconds, next(self._order), act))

    def next_at(self) -> float:
        """When the next planned thing happens."""
        return self._plan[0][0] if self._plan else float("inf")

    def advance_to(self, moment: float) -> None:
        """Let the time pass."""
        while self._plan and self._plan[0][0] <= moment:
            at, _, act = heapq.heappop(self._plan)
            self.now = max(self.now, at)
            act()
        self.now = max(self.now, moment)

    # -- what the kernel gives -------------------------------------------------------------------

    def clock(self) -> float:
        return self.now

    def ticks(self, at: float) -> int:
        return int(at * TICKS)

    def hold(self, pid: int, start: int | None = None) -> FakeHandle | None:
        fake = self.processes.get(pid)
        if fake is None or (start is not None and fake.start != start):
            return None
        return FakeHandle(self, fake)

    def stat(self, pid: int) -> Stat | None:
        fake = self.processes.get(pid)
        if fake is None:
            return None
        flags = (PF_FORKNOEXEC if fake.forked else 0) | (PF_EXITING if fake.is_ending else 0)
        state = "Z" if pid in self.zombies else "T" if pid in self.stopped else "S"
        return Stat(state, fake.ppid, fake.pgrp, flags, fake.reaped_faults, fake.start)

    def parent(self) -> int:
        return 1

    def children(self, pid: int) -> list[int]:
        return [fake.pid for fake in self.processes.values() if fake.ppid == pid]

    def own_children(self) -> list[int]:
        return self.children(1)

    def become_subreaper(self) -> None:
        self.is_subreaper = True

    def is_own_child(self, pid: int) -> bool:
        fake = self.processes.get(pid)
        return fake is not None and fake.ppid == 1

    def group_members(self, group: int) -> list[int]:
        found = [fake for fake in self.processes.values() if fake.pgrp == group]
        return [fake.pid for fake in sorted(found, key=lambda fake: fake.start)]

    def signal_group(self, group: int, number: Signals) -> None:
        for fake in [fake for fake in self.processes.values() if fake.pgrp == group]:
            self.signals.append((number.name[3:], fake.pid))

    def signal_masks(self, pid: int) -> SignalMasks | None:
        fake = self.processes.get(pid)
        if fake is None:
            return None
        caught, blocked = (
            sum(1 << (number - 1) for number in numbers) for numbers in (fake.catches, fake.blocks)
        )
        return SignalMasks(0, caught, blocked)

    def command_line(self, pid: int) -> list[str]:
        fake = self.processes.get(pid)
        return list(fake.words) if fake else [""]

    def environ(self, pid: int) -> dict[str, str]:
        fake = self.processes.get(pid)
        return dict(fake.environ) if fake else {}

    def executable(self, pid: int) -> str:
        fake = self.processes.get(pid)
        return fake.executable if fake else ""

    def working_directory(self, pid: int) -> str:
        fake = self.processes.get(pid)
        return fake.cwd if fake else ""

    def executed_as(self, pid: int) -> str:
        fake = self.processes.get(pid)
        return fake.executed_as if fake else ""

    def mapped_files(self, pid: int) -> list[str]:
        fake = self.processes.get(pid)
        return fake.mapped if fake else []

    def owner(self, pid: int) -> int | None:
        fake = self.processes.get(pid)
        return fake.owner if fake else None

    def real_path(self, path: str) -> str:
        for link, target in self.links.items():
            if path == link or path.startswith(f"{link}/"):
                return target + path[len(link) :]
        return path

    def is_directory(self, path: str) -> bool:
        real = self.real_path(path)
        return not any(real == gone or real.startswith(f"{gone}/") for gone in self.gone)

    is_file = may_execute = is_directory

    def find_command(self, word: str, path: str | None) -> str:
        found = [f"{folder}/{word}" for folder in (path or "/bin").split(":")]
        return next((path for path in found if self.is_file(path)), "")

    def pid_in(self, path: str) -> int:
        return int(self.text_of(path) or 0)

    def names_in(self, directory: str) -> list[str]:
        return [os.path.basename(f) for f in self.files if os.path.dirname(f) == directory]

    def text_of(self, path: str) -> str:
        return self.files.get(self.real_path(path), "")

    def written_files(self, pid: int) -> dict[str, int]:
        fake = self.processes.get(pid)
        return {path: len(self.files.get(path, "")) for path in fake.writes} if fake else {}

    def size_of(self, path: str) -> int:
        return len(self.files.get(path, ""))

    def chunks_of(self, path: str, start: int) -> Iterator[bytes]:
        yield self.files.get(path, "").encode()[start:]

    def bytes_read(self, pid: int) -> int | None:
        fake = self.processes.get(pid)
        return fake.read if fake else None

    def changed(self, path: str) -> float:
        return self.changes.get(path, 0 if path in self.files else float("inf"))

    def is_socket(self, pid: int, descriptor: int) -> bool:
        fake = self.processes.get(pid)
        return fake is not None and descriptor in fake.sockets

    def sockets(self, pid: int, outlive_exec: bool = False) -> frozenset[int]:
        fake = self.processes.get(pid)
        hidden = fake.close_on_exec if fake and outlive_exec else set()
        return frozenset(fake.inodes - hidden if fake else ())

    def listening_sockets(self, pid: int, outlive_exec: bool = False) -> frozenset[int]:
        return self.sockets(pid, outlive_exec) & self.listening_inodes

    def run_as(self, *who: object) -> FakeRun:
        if not self.run:
            raise FileNotFoundError
        self.run.told = who
        return self.run

    def inode_of(self, pid: int, descriptor: int) -> int:
        found = [each for each in self.listening.get(pid, ()) if each.number == descriptor]
        return found[0].inode if found else 0

    def file_id(self, path: str) -> tuple[int, int] | None:
        return self.file_ids.get(path)

    def descriptor_limit(self) -> int:
        return 1024

    def keep_spare(self) -> bool:
        return not self.is_short

    def remove_dead_name(self, path: str) -> None:
        if path not in self.answered:
            del self.file_ids[path]

    def keep_names(self, paths: Collection[str], end: str = "") -> FakeNames:
        self.names = FakeNames(self, set(paths))
        return self.names

    def listeners(self, owner: FakeHandle, numbers: Collection[int] = ()) -> list[Any]:
        if self.denied:
            raise PermissionError(self.denied)
        self.searches.append((owner.pid, tuple(numbers)))
        return list(self.listening.get(owner.pid, []))

    def open_files(self, pid: int, name_part: str) -> Iterable[SimpleNamespace]:
        fake = self.processes.get(pid)
        for inode, (time, mode) in (fake.heartbeats if fake else {}).items():
            yield SimpleNamespace(st_dev=1, st_ino=inode, st_mtime=time, st_mode=mode)

    def keep_file(self, pid: int, name_part: str, identity: tuple[int, int]) -> FakeFile:
        self.open_handles += 1
        return FakeFile(self, identity[1])

    def opened(self, pid: int, descriptor: int) -> str:
        fake = self.processes.get(pid)
        return fake.opened.get(descriptor, "") if fake else ""

    def pipe_ends(self, pid: int) -> PipeEnds | None:
        fake = self.processes.get(pid)
        return fake.pipes if fake else None

    def shared_pages(self, pid: int) -> list[int]:
        fake = self.processes.get(pid)
        return list(fake.pages) if fake else []

    def has_touched(self, pid: int, address: int) -> bool | None:
        fake = self.processes.get(pid)
        return fake.pages.get(address) if fake else None

    def words_at(self, pid: int, address: int) -> tuple[int, ...]:
        fake = self.processes.get(pid)
        return fake.memory.get(address, ()) if fake else ()
