"""The new master's workers: how many are ready, and whether they keep dying."""

from __future__ import annotations

import math

from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Proof, Server

DYING = 3  # so many dead young, or before they were ready, is a crash loop, not bad luck
YOUNG = 5.0  # seconds of a worker's life in which it should not end
FORK_PAUSE = 0.3  # seconds: gunicorn's Arbiter.spawn_workers pauses for up to 0.1 after each fork
SETTLED = 2.0  # seconds without a new worker, where a master does not show that it forked all

Worker = tuple[int, int]  # pid and start time


class NewWorkers:
    """The workers of one new master at the last poll. Each is held by pidfd until it has ended.

    `usual_life` is the least, in seconds, that a worker of the old master lives, if that is known.
    """

    def __init__(
        self, system: System, master: Process, server: Server, usual_life: float = math.inf
    ) -> None:
        self._system = system
        self._master = master
        self._server = server
        self._usual_life = usual_life
        self._held: dict[Worker, Process] = {}
        self._proofs: dict[Worker, Proof] = {}  # of those that were not seen to be ready
        self._first_seen: dict[Worker, float] = {}
        self._found = members.Workers(frozenset(), frozenset())
        self._changed = system.clock()
        self._flashed = -math.inf  # when a worker ended that had been ready between two polls
        self._was_ready: set[Worker] = set()
        self._deaths = 0
        self._unreplaced = 0  # that were ready and crashed, and no other came for them
        self._unrenewed = 0  # the same of those that ended well
        self._renewed: set[Worker] = set()  # that came for one which was ready and ended well

    @property
    def ready(self) -> int:
        """The number of ready workers."""
        return len(self._found.ready)

    @property
    def total(self) -> int:
        """The number of workers."""
        return len(self._found.all)

    @property
    def crash_looping(self) -> bool:
        """True once enough of them died to call it a crash loop."""
        return self._deaths >= DYING

    def forgive(self) -> None:
        """Count deaths from now on: a death at boot does not count in the soak."""
        self._deaths = 0

    def unsettle(self) -> None:
        """Take no time in which nobody looked for one in which no worker came."""
        self._changed = self._system.clock()

    def poll(self) -> None:
        """Poll which workers exist, which are ready, and which died."""
        found = members.workers(self._system, self._master, self._server)
        born = found.all - self._found.all
        self._hold(born)
        self._was_ready |= found.ready
        # Memory that is short may take the proof of an idle worker away again.
        found = members.Workers(found.all & self._was_ready, found.all - self._was_ready)
        self._count_deaths()
        if self._first_of_their_kind(born):
            self._changed = self._system.clock()
        self._found = found

    def _hold(self, born: frozenset[Worker]) -> None:
        for pid, start in born:
            held = self._system.hold(pid, start)
            if held:
                self._held[pid, start] = held
                self._first_seen[pid, start] = self._system.clock()
                proof = self._server.proof_of(self._system, self._master.pid, pid)
                self._proofs.update({(pid, start): proof} if proof else {})

    def _count_deaths(self) -> None:
        for worker in [w for w, held in self._held.items() if self._has_ended(w, held)]:
            held, lived = self._held.pop(worker), self._lived(worker)
            if not self._has_been_ready(worker):
                self._deaths += 1
            elif self._crashed(held.wait_status(), lived):
                self._unreplaced += 1
            else:
                self._unrenewed += 1
            held.close()

    def _has_been_ready(self, worker: Worker) -> bool:
        """True even if it was ready only between two polls (`max_requests = 1`)."""
        proof = self._proofs.pop(worker, None)
        if proof:
            if worker not in self._was_ready and proof.holds():
                self._was_ready.add(worker)
                self._flashed = self._system.clock()
            proof.close()
        return worker in self._was_ready

    def _first_of_their_kind(self, born: frozenset[Worker]) -> bool:
        """True if one of these does not replace another worker."""
        # A crash is followed by another worker. One that was ready and is not replaced was dropped.
        replaced = min(self._unreplaced, len(born))
        self._deaths += replaced
        self._unreplaced -= replaced
        renewed = sorted(born)[replaced : replaced + self._unrenewed]
        self._renewed.update(renewed)
        self._unrenewed -= len(renewed)
        return len(born) > len(renewed)

    def _has_ended(self, worker: Worker, held: Process) -> bool:
        """True once it has ended and its master has reaped it: its exit status is known then."""
        pid, start = worker
        stat = self._system.stat(pid)
        return not held.alive() and (stat is None or stat.start != start)

    def _lived(self, worker: Worker) -> float:
        return self._system.clock() - self._first_seen.pop(worker)

    def _crashed(self, status: int | None, lived: float) -> bool:
        """True if a worker that was ready crashed.

        Workers that recycle themselves (max_requests, worker killers) end well, and at any age. A
        killer may use SIGKILL, or the kernel not report how a worker ended: then the age must do,
        and the workers of the old master show what is usual here.
        """
        return status != 0 and lived < min(YOUNG, self._usual_life / 2)

    def all_ready(self, expected: int) -> bool:
        """True if every worker is ready, and the master has forked all that it will.

        `expected` is how many there were before: where the master does not show that it has forked
        all, so many are enough sooner. One in the place of a ready one that ended well is no
        matter: where workers recycle themselves, one or the other may boot at any moment.
        """
        if self._found.booting - self._renewed or not self._serves:
            return False
        all_forked = self._server.all_forked(self._system, self._master.pid)
        if all_forked is None:
            full = self.total >= max(1, expected)
            return self.quiet >= (FORK_PAUSE if full else SETTLED)
        return all_forked

    @property
    def quiet(self) -> float:
        """Seconds since there were more of them, or fewer."""
        return self._system.clock() - self._changed

    @property
    def _serves(self) -> bool:
        """True if a worker is ready or, where workers are ready only for a moment, was just now."""
        return bool(self._found.ready) or self._system.clock() < self._flashed + SETTLED

    def close(self) -> None:
        """Close every descriptor."""
        for held in self._held.values():
            held.close()
        for proof in self._proofs.values():
            proof.close()
        self._held.clear()
        self._proofs.clear()
