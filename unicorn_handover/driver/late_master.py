"""A new master that appears after its handover has failed: USR2 cannot be cancelled."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import complain
from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..model.options import Options
from ..model.orders import Order
from ..model.phases import Phase
from ..model.record import MasterId, Record
from ..servers import SERVERS
from .handover import Handover

PAUSE = 0.1  # seconds between polls at first: a fork causes no wake-up
LONGEST_PAUSE = 1.0  # seconds between polls of a master that has not handled USR2 for long


class LateMaster:
    """Waits for the new master of a handover that failed without one, and removes it.

    The old master may have been stopped, or busy in a hook, and may handle USR2 at any later time:
    the search ends with that master, with its next handover, or with the driver. No caller is
    waiting any more, so the removal is logged to the driver's standard error only.
    """

    def __init__(self, system: System, options: Options, record: Record) -> None:
        self._system = system
        self._options = options
        self._record = record
        self._server = SERVERS[record.server]
        self._old = system.hold(*record.old)
        self._removal: Handover | None = None
        self._began = self._stepped = system.clock()

    def step(self) -> None:
        """Search for the new master, or continue its removal."""
        self._stepped = self._system.clock()
        if self._removal:
            self._removal.step()
        elif self._old:
            new = members.successor(self._system, self._old, self._server)
            if new:
                self._remove(new)
                new.close()

    @property
    def removing(self) -> bool:
        """True once it has appeared."""
        return self._removal is not None

    @property
    def over(self) -> bool:
        """True once it was removed, or cannot appear any more."""
        if self._removal:
            return self._removal.finished
        return self._old is None or not self._old.alive()

    def descriptors(self) -> Iterator[int]:
        """The pidfds whose exits this waits for."""
        if self._removal:
            yield from self._removal.descriptors()
        elif self._old:
            yield self._old.fileno()

    def wake_at(self) -> float:
        """When `step` is to be called although no descriptor became readable, on the clock."""
        if self._removal:
            return self._removal.wake_at()
        pause = max(PAUSE, (self._stepped - self._began) / 10)
        return self._stepped + min(pause, LONGEST_PAUSE)

    def close(self) -> None:
        """Close every descriptor."""
        if self._removal:
            self._removal.close()
        if self._old:
            self._old.close()
            self._old = None

    def _remove(self, new: Process) -> None:
        record, found = self._record, members.workers(self._system, new, self._server)
        complain(
            f"{record.program}: removing pid {new.pid}, a new master that came after handover "
            f"{record.number} was given up"
        )
        removal = record.but(
            phase=Phase.REMOVING,
            new=MasterId(new.pid, new.start),
            since=self._system.clock(),
            ready=len(found.ready),  # they may be answering requests
            total=len(found.all),
        )
        self._removal = Handover(self._system, Order(removal, self._options), lambda _: None)
