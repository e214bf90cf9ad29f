"""One handover: observes the masters, moves through the phases, acts in each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ..kernel.system import System
from ..model.options import Options
from ..model.orders import Order
from ..model.phases import TABLE, UNCHECKED, Event, Phase, matters
from ..model.record import Record
from .act import act
from .by_hand import survey
from .observe import next_event
from .situation import Situation
from .watch import Watch

FIRST_STEPS = (Phase.RE_EXECUTING, Phase.STARTING)  # towards a new master


class Handover:
    """Drives the record of one order to its final phase. `step` never blocks; call it at any time.

    `report` is given every new record before it is acted upon.
    """

    def __init__(self, system: System, order: Order, report: Callable[[Record], None]) -> None:
        self._situation = Situation(system, order, report)
        self._watch = Watch(self._situation)
        self._begun = False
        self._stepped: float | None = None  # when; None if there is news since then

    @property
    def record(self) -> Record:
        """The current record."""
        return self._situation.record

    @property
    def options(self) -> Options:
        """The options of its program."""
        return self._situation.options

    @property
    def finished(self) -> bool:
        """True once the record has reached its end."""
        return self.record.phase.final

    @property
    def new_may_come(self) -> bool:
        """True if USR2 was sent and the old master may still handle it."""
        return self._situation.re_exec is not None and not self._situation.old_gone

    def close(self, cancelled: bool = False) -> None:
        """Close every descriptor. The processes keep running.

        Of a handover that is `cancelled` nothing is left for another driver.
        """
        self._situation.close(cancelled)

    def named(self, record: Record) -> None:
        """Use the new master that the host has started."""
        self._situation.named(record)
        self._stepped = None

    def command(self, event: Event) -> None:
        """Remember the operator's ROLLBACK or PROMOTE until a phase that accepts it."""
        self._situation.command = event
        self._stepped = None

    def give_up(self, why: str) -> bool:
        """Roll back after an internal error. Return False if this phase cannot."""
        if not matters(self.record.phase, Event.ROLLBACK):
            return False
        self._situation.trouble = why
        self.command(Event.ROLLBACK)
        return True

    def descriptors(self) -> Iterator[int]:
        """The pidfds whose exits this handover waits for."""
        return self._situation.awaited()

    def wake_at(self) -> float:
        """When `step` is to be called although no descriptor became readable, on the clock."""
        if self._stepped is None:
            return -math.inf
        return min(self._situation.deadline, self._stepped + self._situation.pause)

    def step(self) -> None:
        """Move through as many phases as the present facts allow."""
        self._stepped = self._situation.system.clock()
        if not self._begun:
            self._begun = True
            self._begin()
        self._watch.look()
        while not self.finished:
            event = next_event(self._situation)
            if event is None:
                return
            move = TABLE[self.record.phase][event]
            self._enter(move.phase, in_full(self._situation, event, move.reason))

    def _begin(self) -> None:
        """Begin, or re-enter the phase in which an earlier driver left the handover."""
        if self.record.phase in (Phase.REQUESTED, Phase.QUEUED):
            self._enter(Phase.CHECKING)
        else:
            if self.record.found:
                survey(self._situation)
            mark_logs(self._situation)
            self._situation.resumed = True
            act(self._situation)

    def _enter(self, phase: Phase, reason: str = "") -> None:
        now = self._situation.system.clock()
        self._situation.resumed = False
        if phase in FIRST_STEPS:
            mark_logs(self._situation)
        fails = bool(reason and self.record.signalled and not self.record.reason)
        self._situation.report(  # before acting: see `record`
            phase=phase,
            since=now,
            signalled=now if phase in FIRST_STEPS else self.record.signalled,
            unwatched=self.record.unwatched if phase is Phase.BOOTING else 0.0,  # as `signalled`
            reason=self.record.reason_and(reason),
            output=self._cause(reason) if fails else self.record.output,
            ended=now if phase.final else 0.0,
        )
        act(self._situation)

    def _cause(self, reason: str) -> tuple[str, ...]:
        return self._situation.logs.cause(self.record.but(reason=reason))


def mark_logs(situation: Situation) -> None:
    """Take note of where the masters' files end, and of where those of the next one will be."""
    old, server = situation.old, situation.server
    situation.logs.mark(old, situation.new)
    if old and server:
        re_executed = server.configured(situation.system, old.pid, situation.launch).works_in
        for directory in filter(None, (re_executed, situation.next_launch.directory)):
            situation.logs.expect_in(directory, old)


def in_full(situation: Situation, event: Event, reason: str) -> str:
    """Return the reason of a move with the pids, times and causes an operator needs."""
    record, check = situation.record, situation.check
    if not reason:
        return ""
    if event is Event.REFUSED:
        return situation.refusal
    if event is Event.ROLLBACK and situation.trouble:
        return situation.trouble
    if event is Event.CHECK_FAILED and check:
        return f"{reason}: {check.failure}"
    if event is Event.TIMEOUT and check and situation.all_ready:
        return f"{UNCHECKED}: {check.failure or 'it was too slow'}"
    if event is Event.TIMEOUT and record.phase not in (Phase.RESTORING, Phase.KILLING_OLD):
        counts = f"; {record.ready} of {record.total} ready" if record.new else ""
        return f"{reason} (boot_timeout = {situation.options.boot_timeout:g} s{counts})"
    if event in (Event.NEW_GONE, Event.BOTH_GONE) and record.new:
        return reason.replace("new master", f"new master (pid {record.new.pid})")
    return reason
