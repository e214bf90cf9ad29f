"""A kernel made of dictionaries: replaces `unicorn_handover.system.System` whole."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from signal import (
    SIGCONT,
    SIGHUP,
    SIGKILL,
    SIGSTOP,
    SIGTTIN,
    SIGTTOU,
    SIGUSR1,
    SIGUSR2,
    SIGWINCH,
    Signals,
)
from types import SimpleNamespace
from typing import Any

from unicorn_handover.kernel.pipes import PipeEnds
from unicorn_handover.kernel.procfs import PF_FORKNOEXEC, SignalMasks, Stat

TICKS = 100  # a second
TICKS_PAGE = 0x7000  # where a unicorn has the ticks of its workers


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
    heartbeats: dict[int, tuple[float, int]] = field(default_factory=dict)  # time, mode by inode
    pages: dict[int, bool | None] = field(default_factory=dict)  # shared with its forks; used?
    memory: dict[int, tuple[int, ...]] = field(default_factory=dict)  # of such a page
    pipes: PipeEnds | None = PipeEnds(frozenset(), frozenset())  # None if not ours to look at
    pgrp: int = 0
    reaped_faults: int = 0
    alive: bool = True
    status: int = 0  # how it ended
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
        self._system.signals.append((number.name[3:], self.pid))
        if number == SIGKILL:
            if self.pid not in self._system.unkillable:
                self._system.end(self._fake)
        elif number == SIGSTOP:
            self._system.stopped.add(self.pid)
        elif number == SIGCONT:
            self._system.stopped.discard(self.pid)
        else:
            self._fake.obey(number)
        return True

    def wait_status(self) -> int | None:
        return None if self._fake.alive or not self._system.tells_ends else self._fake.status

    def close(self) -> None:
        self._system.open_handles -= self._open
        self._open = False


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


class FakeSystem:
    """The clock moves only in `advance_to`, and what was planned happens then."""

    def __init__(self) -> None:
        self.now = 1000.0
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
        self.listening: dict[int, list[Any]] = {}  # listeners, by the pid of their owner
        self.names: FakeNames | None = None
        self.unlinked: set[str] = set()
        self.denied = ""  # why nobody's listeners can be copied
        self.stopped: set[int] = set()
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
        flags = PF_FORKNOEXEC if fake.forked else 0
        state = "Z" if pid in self.zombies else "T" if pid in self.stopped else "S"
        return Stat(state, fake.ppid, fake.pgrp, flags, fake.reaped_faults, fake.start)

    def parent(self) -> int:
        return 1

    def children(self, pid: int) -> list[int]:
        return [fake.pid for fake in self.processes.values() if fake.ppid == pid]

    def own_children(self) -> list[int]:
        return self.children(1)

    def signal_group(self, group: int, number: Signals) -> None:
        for fake in [fake for fake in self.processes.values() if fake.pgrp == group]:
            self.signals.append((number.name[3:], fake.pid))

    def signal_masks(self, pid: int) -> SignalMasks | None:
        fake = self.processes.get(pid)
        if fake is None:
            return None
        return SignalMasks(0, 0, sum(1 << (number - 1) for number in fake.catches))

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

    def pid_in(self, path: str) -> int:
        return int(self.text_of(path) or 0)

    def text_of(self, path: str) -> str:
        return self.files.get(self.real_path(path), "")

    def written_files(self, pid: int) -> dict[str, int]:
        fake = self.processes.get(pid)
        return {path: len(self.files.get(path, "")) for path in fake.writes} if fake else {}

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

    def keep_names(self, paths: Collection[str]) -> FakeNames:
        self.names = FakeNames(self, set(paths))
        return self.names

    def listeners(self, owner: FakeHandle) -> list[Any]:
        if self.denied:
            raise PermissionError(self.denied)
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


MASTER_CATCHES = {SIGUSR1, SIGUSR2, SIGWINCH, SIGTTIN, SIGTTOU}


class Unicorn:
    """Makes unicorn masters in a fake system, which behave as unicorn 6 does.

    boots: seconds until a new master's workers are ready, None if never. dies: seconds until a new
    master dies by itself. drains: seconds that ending gracefully takes, None if for ever. finishes:
    seconds that a worker takes to end when its master tells it to.
    """

    def __init__(self, system: FakeSystem, workers: int = 2) -> None:
        self.system = system
        self.strength = workers
        self.boots: float | None = 0.5
        self.dies: float | None = None
        self.drains: float | None = 0.1
        self.finishes = 0.05
        self.reaps = 0.0  # seconds until it misses a worker that has ended
        self.crashes = False  # each worker dies after 0.2 s, before it is ready
        self.exec_fails = False
        self.exec_takes = 0.03  # seconds
        self.obeys_quick = True
        self.masters: list[Fake] = []
        self._children: dict[int, Fake] = {}  # by the pid of the master that re-executed
        self.wanted: dict[int, int] = {}  # worker_processes, by the pid of the master
        self._respawns: dict[int, bool] = {}
        self._numbers: dict[int, int] = {}  # by the pid of the worker
        self._quitting: set[int] = set()
        system.files["/u.rb"] = "preload_app true\n"

    def start(self) -> Fake:
        """The first master, with its workers ready."""
        master = self._become_master(self.system.add(ppid=1, forked=False, words=[]), {})
        for _ in range(self.strength):
            self.fork_worker(master, 0)
        self.system.advance_to(self.system.now + 1)
        return master

    def workers(self, master: Fake) -> list[Fake]:
        """The workers of a master, and a child that is about to exec."""
        return [p for p in self.system.processes.values() if p.ppid == master.pid and p.forked]

    def numbered(self, master: Fake) -> list[Fake]:
        """Its workers alone."""
        return [worker for worker in self.workers(master) if worker.pid in self._numbers]

    def _become_master(self, process: Fake, environ: dict[str, str]) -> Fake:
        process.forked = False
        process.words = ["unicorn master -c u.rb"]
        process.environ = {"PATH": "/bin", **environ}
        process.sockets = {7}
        process.pages = {TICKS_PAGE: True}
        process.catches = set(MASTER_CATCHES)
        process.obey = lambda number: self._obey(process, number)
        self.wanted[process.pid], self._respawns[process.pid] = self.strength, True
        self.masters.append(process)
        return process

    def fork_worker(self, master: Fake, boots: float | None) -> None:
        """Fork one worker, ready after some seconds, or never."""
        worker = self.system.add(
            ppid=master.pid,
            forked=True,
            words=["unicorn worker[0] -c u.rb"],
            catches=set(),
            pages={TICKS_PAGE: False},
        )
        taken = {self._numbers.get(other.pid) for other in self.workers(master)}
        self._numbers[worker.pid] = next(n for n in itertools.count() if n not in taken)
        if boots is not None:
            self.system.later(boots, lambda: self._enter_loop(worker))

    def _enter_loop(self, worker: Fake) -> None:
        worker.catches.add(SIGUSR1)
        worker.pages[TICKS_PAGE] = True

    def _obey(self, master: Fake, number: Signals) -> None:
        if number == SIGUSR2:
            self._re_exec(master)
        elif number == SIGWINCH:
            self._respawns[master.pid], self.wanted[master.pid] = False, 0
            self._quit(master, 0)
        elif number == SIGTTIN:
            self._respawns[master.pid] = True
            self.wanted[master.pid] += 1
        elif number == SIGTTOU:
            self.wanted[master.pid] = max(0, self.wanted[master.pid] - 1)
        elif number == SIGHUP:
            self._respawns[master.pid], self.wanted[master.pid] = True, self.strength
            self._quit(master, 0)
        elif number.name == "SIGQUIT" and self.drains is not None:
            self.system.later(self.drains, lambda: self._end(master))
        elif number.name == "SIGTERM" and self.obeys_quick:
            self._end(master)
        self._maintain(master)

    def _maintain(self, master: Fake) -> None:
        """HttpServer#maintain_worker_count: those that are ending count as well."""
        if not master.alive or not self._respawns[master.pid]:
            return
        missing = self.wanted[master.pid] - len(self.numbered(master))
        for _ in range(missing):
            self.fork_worker(master, 0.3)
        if missing < 0:
            self._quit(master, self.wanted[master.pid])

    def _quit(self, master: Fake, lowest: int) -> None:
        for worker in self.numbered(master):
            if self._numbers[worker.pid] >= lowest and worker.pid not in self._quitting:
                self._quitting.add(worker.pid)
                self.system.later(self.finishes, lambda w=worker: self._ended(master, w))

    def _ended(self, master: Fake, worker: Fake) -> None:
        self.system.end(worker)
        self.system.later(self.reaps, lambda: self._maintain(master))

    def _end(self, master: Fake) -> None:
        for worker in self.workers(master):
            self.system.end(worker)
        self.system.end(master)

    def spawn(self) -> Fake:
        """A master that the host starts, in a group of its own."""
        new = self.system.add(ppid=1, forked=False, words=[])
        new.pgrp = new.pid
        self._become_master(new, {"UNICORN_FD": "7"})
        self._boot(new)
        return new

    def _re_exec(self, old: Fake) -> None:
        child = self._children.get(old.pid)
        if child and child.alive:
            return
        child = self._children[old.pid] = self.system.add(
            ppid=old.pid, forked=True, words=old.words, catches=set(MASTER_CATCHES)
        )
        self.system.later(self.exec_takes, lambda: self._exec(old, child))

    def _exec(self, old: Fake, child: Fake) -> None:
        if self.exec_fails or not child.alive:
            self.system.end(child)
            return
        self._boot(self._become_master(child, {"UNICORN_FD": "7"}))

    def _boot(self, new: Fake) -> None:
        if self.dies is not None:
            self.system.later(self.dies, lambda: self._end(new))
        else:
            self.system.later(0.1, lambda: self.fork_workers(new))

    def fork_workers(self, master: Fake) -> None:
        """Fork all workers of a new master."""
        for _ in range(self.strength):
            if self.crashes:
                self._crashing_worker(master)
            else:
                self.fork_worker(master, self.boots)

    def _crashing_worker(self, master: Fake) -> None:
        if not master.alive:
            return
        self.fork_worker(master, None)
        worker = self.workers(master)[-1]
        self.system.later(0.2, lambda: self.system.end(worker))
        self.system.later(0.21, lambda: self._crashing_worker(master))
