"""`incr`, `decr` and `set numprocesses` of a managed watcher: workers come and go, not masters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from signal import Signals
from typing import NamedTuple

from circus.watcher import Watcher
from tornado.gen import Return, sleep
from tornado.locks import Lock

from unicorn_handover.family import members
from unicorn_handover.host.program import Program
from unicorn_handover.kernel.process import Process
from unicorn_handover.model.record import MasterId
from unicorn_handover.servers import ADD_WORKER, DROP_WORKER, Server, handlers_installed, server_of

from .coroutines import Steps, coroutine
from .process import ManagedProcess

PAUSE = 0.02  # seconds between polls: a delivered signal causes no wake-up
PATIENCE = 5.0  # seconds for a master to take one signal


class Asked(NamedTuple):
    """How many workers a master was asked to have, and until when this counts."""

    master: MasterId
    number: int
    until: float


class Forks(NamedTuple):
    """How many workers a master has, and what it forked just now that may be one.

    A unicorn's worker is known at first by both ends of its pipe, and then by its title. Between
    the two it has closed one end, and on a busy machine that lasts (#init_worker_process).
    """

    known: int
    unknown: int


class Workers:
    """The workers of one watcher's master, whose number is changed by one caller after the other.

    A worker that was signalled to quit lives until it has answered its requests. So for as long as
    that may take, the number that was asked for counts, and not that of the workers.
    """

    def __init__(self, watcher: Watcher, program: Program) -> None:
        self._watcher = watcher
        self._program = program
        self._system = program.system
        self._turns = Lock()
        self._asked: Asked | None = None

    @coroutine
    def change(self, by: int) -> Steps:
        """Add so many workers or, below 0, drop them; gives the number there is to be."""
        with (yield self._turns.acquire()):
            yield self._boot()
            number = self._number()
            number = yield self._bring(number, number + by)
        raise Return(number)

    @coroutine
    def set(self, number: int) -> Steps:
        """Add or drop workers until there are so many."""
        with (yield self._turns.acquire()):
            yield self._boot()
            yield self._bring(self._number(), number)

    def refusal(self) -> str:
        """Why no number of workers can be asked for, or ""."""
        server = self._server()
        if server is None or server.counts_workers:
            return ""
        return (
            f"[watcher:{self._program.name}]: {server.name} has as many workers as its own "
            "configuration says; change it there, and send it HUP"
        )

    def forget(self) -> None:
        """Count the workers next time: the master was sent a signal that changes their number."""
        self._asked = None

    def count(self) -> int:
        """How many there are now, those that are about to go as well."""
        return self._look().known

    def _look(self) -> Forks:
        held, server, system = self._held(), self._server(), self._system
        if held is None or server is None:
            return Forks(0, 0)
        known = {pid for pid, _ in members.workers(system, held, server).all}
        others = [system.stat(pid) for pid in server.forks(system, held.pid) if pid not in known]
        young = system.ticks(system.clock() - PATIENCE)
        unknown = [stat for stat in others if stat and not stat.ended and stat.start >= young]
        return Forks(len(known), len(unknown))

    @property
    def _process(self) -> ManagedProcess | None:
        # Somebody may still wait here when the watcher has been given back to Circus.
        return self._watcher.process if self._watcher.is_managed else None

    def _held(self) -> Process | None:
        process = self._process
        return process.master.process if process and process.master else None

    @property
    def _master(self) -> MasterId | None:
        return self._watcher.master if self._watcher.is_managed else None

    def _server(self) -> Server | None:
        master, option = self._master, self._program.options.server
        return server_of(self._system, master.pid, option) if master else None

    def _number(self) -> int:
        """How many there are to be."""
        asked, now = self._asked, self._system.clock()
        if asked and asked.master == self._master and now < asked.until:
            return asked.number
        return sum(self._look())

    @coroutine
    def _bring(self, number: int, target: int) -> Steps:
        """Tell both masters of a handover, and remember it of the one that circusd knows.

        The kernel keeps one pending signal of a kind, and unicorn five, so each waits until the one
        before was taken.
        """
        server = self._server()
        if server and not server.counts_workers:
            raise Return(number)
        target = max(target, server.fewest_workers if server else 0)
        while number != target:
            process, master = self._process, self._master
            if process is None or master is None or not self._is_up():
                break
            step = 1 if target > number else -1
            before, sent = self.count(), ADD_WORKER if step > 0 else DROP_WORKER
            for each in process.all_masters():
                if handlers_installed(self._system, each.pid):  # without a handler the signal kills
                    each.signal(sent)
            number += step
            patience = self._program.options.drain_timeout
            self._asked = Asked(master, number, self._system.clock() + patience)
            # In place of one that has yet to go none is forked.
            forked = number if before < number else 0
            yield self._until(partial(self._took, master.pid, sent, forked), PATIENCE)
        raise Return(number)

    @coroutine
    def _boot(self) -> Steps:
        """Wait for a master that still starts, as long as a new one may take; for none, not."""
        if not self._has_booted():
            patience = self._program.options.boot_timeout
            yield self._until(lambda: self._has_booted() or self._is_out(), patience)

    def _has_booted(self) -> bool:
        """True once the master is up, and its first workers can be told from what else it forks."""
        return self._is_up() and not self._look().unknown

    def _is_out(self) -> bool:
        """True if there is no master to come."""
        return self._watcher.is_stopped() or not self._watcher.is_managed

    def _is_up(self) -> bool:
        """True once the master takes signals and has forked its first workers."""
        master, server, system = self._master, self._server(), self._system
        return bool(
            master
            and server
            and handlers_installed(system, master.pid)
            and server.all_forked(system, master.pid) is not False
        )

    def _took(self, master: int, number: Signals, workers: int) -> bool:
        """True once a master has got a signal, and has forked so many workers."""
        masks = self._system.signal_masks(master)
        return masks is None or (not masks.awaits(number) and self.count() >= workers)

    @coroutine
    def _until(self, fact: Callable[[], bool], patience: float) -> Steps:
        clock = self._system.clock
        deadline = clock() + patience
        yield sleep(PAUSE)
        while not fact() and clock() < deadline:
            yield sleep(PAUSE)
