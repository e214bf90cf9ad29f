"""Brings the workers of a master back that was told to end them."""

from __future__ import annotations

from . import family
from .servers import ADD_WORKER, DROP_WORKER, Server
from .system import Process, System

SETTLED = 2.0  # seconds without a change in the workers, after which their number is corrected


class Restoration:
    """Adds workers one by one until the master has `strength` of them again; `step` never blocks.

    Not by HUP, which loads the application and its settings anew: from the disk, where the new
    release may be, and without `-c` unicorn re-executes. `began` is the moment from which on
    workers count, in seconds of the system's clock: older ones may still be draining.

    The number is looked at again once nothing changes any more. Signals that wait together are
    delivered lowest number first, so that an added worker may be taken back by the WINCH before it.
    """

    def __init__(
        self, system: System, master: Process, server: Server, strength: int, began: float
    ) -> None:
        self._system = system
        self._master = master
        self._server = server
        self._strength = strength
        self._began = system.ticks(began)
        self._last = self._look()
        self._changed = system.clock()
        # Those a driver before this one has added are there already.
        self._to_add = max(0, strength - len(self._fresh(self._last.all)))

    def step(self) -> None:
        """Send what can be sent now."""
        found = self._look()
        now = self._system.clock()
        if found != self._last:
            self._last, self._changed = found, now
        elif now >= self._changed + SETTLED:
            self._changed = now
            self._correct(len(found.all))
        self._add()

    def ready(self) -> int:
        """How many of the workers that were brought back are ready."""
        return len(self._fresh(self._last.ready))

    @property
    def complete(self) -> bool:
        """True once the master is as strong as before, and no stronger."""
        return self.ready() >= self._strength == len(self._last.all)

    def _look(self) -> family.Workers:
        return family.workers(self._system, self._master, self._server)

    def _fresh(self, workers: frozenset[tuple[int, int]]) -> list[tuple[int, int]]:
        return [worker for worker in workers if worker[1] >= self._began]

    def _correct(self, number: int) -> None:
        if number < self._strength:
            self._to_add = self._strength - number
        elif number > self._strength:
            self._master.signal(DROP_WORKER)

    def _add(self) -> None:
        """Add workers, each when the signal for the one before was delivered.

        The kernel keeps one pending signal of a kind.
        """
        while self._to_add:
            masks = self._system.signal_masks(self._master.pid)
            quiesce = self._server.quiesce
            if masks is None or masks.awaits(ADD_WORKER) or (quiesce and masks.awaits(quiesce)):
                return
            self._master.signal(ADD_WORKER)
            self._to_add -= 1
