"""Brings back the workers of a quiesced master."""

from __future__ import annotations

from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import ADD_WORKER, DROP_WORKER, Server

SETTLED = 0.5  # seconds without a change in the workers, after which their number is corrected


class Restoration:
    """Adds workers until the master has just `worker_count` fresh ones. `step` never blocks.

    Not by HUP, which loads the application and its settings anew: from the disk, where the new
    release may be, and without `-c` unicorn re-executes. `quiesced` is the moment in which the
    workers were signalled to quit, in seconds of the system's clock: those started since are fresh,
    whoever asked for them. The others finish their requests, and nobody knows for how long.

    The number is corrected whenever nothing changes any more. A master counts the workers that are
    still ending as its own, so that the first signals may have no effect, and replaces them when
    they have ended, so that there are too many then. Signals that wait together are delivered
    lowest number first, so that an added worker may be taken back by the WINCH before it.
    """

    def __init__(
        self, system: System, master: Process, server: Server, worker_count: int, quiesced: float
    ) -> None:
        self._system = system
        self._master = master
        self._server = server
        self._worker_count = worker_count
        self._quiesced = system.ticks(quiesced)
        self._stale_until = 0.0  # when a quiesced worker was last seen
        self._last = self._poll()
        self._changed = system.clock()
        self._to_add = max(0, worker_count - len(self._fresh(self._last.all)))
        self._to_drop = 0
        self._after_drops: int | None = None  # workers, when those that were dropped have ended

    def step(self) -> None:
        """Send the signals that are due."""
        found = self._poll()
        now = self._system.clock()
        if found != self._last:
            self._last, self._changed = found, now
        elif now >= self._changed + SETTLED:
            self._changed = now
            self._correct()
        self._send()

    def ready(self) -> int:
        """How many of the workers that were brought back are ready."""
        return len(self._fresh(self._last.ready))

    @property
    def complete(self) -> bool:
        """True once the master has as many workers as before, and no more.

        A worker that has ended is missed by the master a moment later, and replaced.
        """
        if self._system.clock() < self._stale_until + SETTLED:
            return False
        return self.ready() >= self._worker_count == len(self._last.all)

    def _poll(self) -> members.Workers:
        found = members.workers(self._system, self._master, self._server)
        if len(self._fresh(found.all)) < len(found.all):
            self._stale_until = self._system.clock()
        return found

    def _fresh(self, workers: frozenset[tuple[int, int]]) -> list[tuple[int, int]]:
        return [worker for worker in workers if worker[1] >= self._quiesced]

    def _correct(self) -> None:
        number = len(self._last.all)
        if self._after_drops is not None and number > self._after_drops:
            return  # one that was dropped has a request to finish
        self._after_drops = None
        self._to_add = max(0, self._worker_count - len(self._fresh(self._last.all)))
        # Of ready ones only: one that boots does not take the place of one that serves.
        self._to_drop = max(0, self.ready() - self._worker_count)
        if self._to_drop:
            self._after_drops = number - self._to_drop

    def _send(self) -> None:
        """Send the signals one by one: the kernel keeps one pending signal of a kind."""
        while self._to_add or self._to_drop:
            masks = self._system.signal_masks(self._master.pid)
            sent = (ADD_WORKER, DROP_WORKER, self._server.quiesce)
            if masks is None or any(number and masks.awaits(number) for number in sent):
                return
            if self._to_add:
                self._master.signal(ADD_WORKER)
                self._to_add -= 1
            else:
                self._master.signal(DROP_WORKER)
                self._to_drop -= 1
