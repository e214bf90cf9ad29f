"""unicorn on a made-up kernel: masters and workers that behave as unicorn 6 does."""

from __future__ import annotations

import itertools
from signal import (
    SIGHUP,
    SIGTTIN,
    SIGTTOU,
    SIGUSR1,
    SIGUSR2,
    SIGWINCH,
    Signals,
)

from .fake_process import Fake
from .fake_system import FakeSystem

TICKS_PAGE = 0x7000  # where a unicorn has the ticks of its workers


MASTER_CATCHES = {SIGUSR1, SIGUSR2, SIGWINCH, SIGTTIN, SIGTTOU}


class Unicorn:
    """Makes unicorn masters in a fake system, which behave as unicorn 6 does.

    boots: seconds until a new master's workers are ready, None if never. dies: seconds until a new
    master dies by itself. drains: seconds that ending gracefully takes, None if for ever. finishes:
    seconds that a worker takes to end when its master tells it to.
    """

    def __init__(self, system: FakeSystem, workers: int = 2) -> None:
        self.system = system
        self.worker_count = workers
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
        for _ in range(self.worker_count):
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
        self.wanted[process.pid], self._respawns[process.pid] = self.worker_count, True
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
            self._respawns[master.pid], self.wanted[master.pid] = True, self.worker_count
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
        """A master that the host starts."""
        new = self.spawn_alone()
        self._boot(new)
        return new

    def spawn_alone(self) -> Fake:
        """The same, without a worker, in a group of its own."""
        new = self.system.add(ppid=1, forked=False, words=[])
        new.pgrp = new.pid
        return self._become_master(new, {"UNICORN_FD": "7"})

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
        for _ in range(self.worker_count):
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
