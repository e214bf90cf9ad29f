"""The handovers of one program: at most one running, at most one queued behind it, the last ended.

They live in the host, so they outlive every driver. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Callable

from ..model.phases import BOTH_ENDED, FALLEN, NEVER_BEGAN, ROLLED_BACK, Phase
from ..model.record import MasterId, Record

KEPT = 10  # ended handovers remembered for each program


class Handovers:
    """The handovers of one program.

    `clock` gives seconds of CLOCK_MONOTONIC. `master` gives the program's living master, or None.
    `changed` is called after every change, with the record and whether it has entered a phase.
    `plan` gives the method of a handover that begins, and what speaks for it: see `Record`.
    queued_next: the number of the handover that begins when the running one has ended, or 0.
    last: the last number given to a caller; none is given twice. changes: counts them, for those
    who watch. command: the operator's "rollback" or "promote". quitting: the master that a handover
    has signalled to quit.
    """

    def __init__(
        self,
        program: str,
        clock: Callable[[], float],
        master: Callable[[], MasterId | None],
        changed: Callable[[Record, bool], None],
        plan: Callable[[], tuple[str, str]] = lambda: ("usr2", ""),
    ) -> None:
        self.running: Record | None = None
        self.queued_next = 0
        self.ended: list[Record] = []
        self.last = 0
        self.changes = 0
        self.command = ""
        self._program = program
        self._clock = clock
        self._master = master
        self._changed = changed
        self._plan = plan
        self.quitting: MasterId | None = None
        self._replaced: MasterId | None = None  # by another new master, in the running handover
        self._published: tuple[int, Phase] | None = None

    def find(self, number: int) -> Record | None:
        """Return the handover of that number if it has begun and is still remembered."""
        known = [self.running] if self.running else []
        return next((r for r in known + self.ended if r.number == number), None)

    def request(self, joins: bool = True) -> int:
        """Ask for a handover and return its number.

        One that has not begun yet serves this caller too if it `joins`; behind one that has,
        exactly one more follows, however many ask.
        """
        if self.running is None:
            return self._begin(self._next_number())
        if joins and not self.running.phase.traits.begun:
            return self.running.number
        self.queued_next = self.queued_next or self._next_number()
        return self.queued_next

    def why_none(self, number: int) -> str:
        """Why a handover of that number is unknown and will not begin, or ""."""
        if number > self.last:
            return "the host was reloaded, and does not know it any more"
        if self.find(number) or number == self.queued_next > 0:
            return ""
        if self.ended and number < self.ended[0].number:
            return "it ended long ago, and its outcome is no longer kept"
        return "it was waiting behind a handover that was cancelled"

    def report(self, record: Record) -> None:
        """Store a record of the driver; an outdated or unknown one changes nothing."""
        if self.running is None or self.running.key != record.key:
            return
        if record.new and record.new == self._replaced:
            return
        self.running = record = record.after(self.running)
        if record.phase.traits.quits == "old":
            self.quitting = record.old
        elif record.phase.traits.quits == "new":  # it may become the master, if the old one dies
            self.quitting = record.new
        if record.phase.final:
            self._end(record)
        else:
            self._note(record)

    def name_new(self, new: MasterId | None, sockets: tuple[str, ...] = ()) -> None:
        """Note the new master that the host has started, and its unix sockets.

        None: it is dead, and the host starts another one. What the driver still reports of the
        dead one is old.
        """
        running = self.running
        if running is None:
            return
        record = running.but(new=new, sockets=sockets)
        if new is None:
            self._replaced = running.new
            record = record.but(phase=Phase.STARTING, since=self._clock(), ready=0, total=0)
        self.running = record = record.after(running)
        self._note(record)

    def fail(self, reason: str) -> None:
        """Fail the running handover: the host cannot do its part of it."""
        if self.running:
            self._fail(self.running, reason)

    def cancel(self, reason: str) -> None:
        """Cancel all handovers without another signal."""
        self.queued_next = 0
        if self.running:
            self._fail(self.running, reason)

    def steer(self, command: str, driver_is_there: bool) -> str:
        """Accept the operator's "rollback" or "promote"; return why it is refused, or ""."""
        words = "roll back" if command == "rollback" else command
        if self.running is None:
            return f"no handover of {self._program} is running, so there is nothing to {words}"
        phase = self.running.phase
        if phase.traits.decided:
            return f"the handover is {phase.value} already, so it is too late to {words}"
        self.command = command
        if command == "rollback":
            self.queued_next = 0
            # A driver that is there may have begun, and not have been heard yet.
            if not phase.traits.begun and not driver_is_there:
                self._fail(self.running, NEVER_BEGAN)
        return ""

    def take_up(self, command: str, server: str, new: MasterId) -> str:
        """Begin a handover at the point that a USR2 by hand has reached: the new master lives.

        A rollback ends it at once, a promote when the new workers are proven to be ready. Return
        why it cannot be, or "".
        """
        now, old = self._clock(), self._master()
        if old is None:
            return f"{self._program} is not running"
        phase, reason = Phase.BOOTING, ""
        if command == "rollback":
            phase, reason = Phase.RESTORING, ROLLED_BACK
        record = Record(self._program, self._next_number(), phase, old, now, now, new)
        self.command = command
        self.running = record.but(server=server, reason=reason, signalled=now, found=True)
        self._note(self.running)
        return ""

    def was_told_to_quit(self, pid: int) -> bool:
        """True if a handover, even a failed one, sent this master its graceful signal."""
        return self.quitting is not None and self.quitting.pid == pid

    def new_master_of(self, old: int) -> MasterId | None:
        """The new master that a handover has found for the master with the pid `old`, or None.

        Of one that has ended, too: the driver may see the death of `old` before the host does.
        """
        records = [*self.ended[-1:], *([self.running] if self.running else [])]
        found = [record.new for record in records if record.new and record.old.pid == old]
        return found[-1] if found else None

    def adopted(self, new: MasterId, driver_is_there: bool) -> None:
        """Note that the host has adopted `new` as the program's master.

        While the old master was draining, that is the end of the handover. A driver that is there
        sees to the rest; it need not be there.
        """
        if self.quitting != new:
            self.quitting = None
        record = self.running
        if record and record.phase in (Phase.REQUESTED, Phase.QUEUED):
            self.running = record.but(old=new)  # USR2 was sent by hand before it began
            self._note(self.running)
        elif record and record.new == new and takes_over(record) and not driver_is_there:
            self.report(record.but(phase=Phase.DONE, since=self._clock(), ended=self._clock()))

    def why_lost(self) -> str:
        """Why the running handover has failed if the program has no master any more."""
        running = self.running
        if running is None or running.new is None or not takes_over(running):
            return "the program ended"
        why = FALLEN if running.phase is Phase.CONFIRMING else BOTH_ENDED
        return why.replace("new master", f"new master (pid {running.new.pid})")

    def lost(self, reason: str, output: tuple[str, ...] = ()) -> None:
        """Note that the program's master died without a successor; `output` shows the cause."""
        self.quitting = None
        if self.running:
            self._fail(self.running.but(output=self.running.output or output), reason)

    def _next_number(self) -> int:
        self.last += 1
        return self.last

    def _begin(self, number: int) -> int:
        now, master = self._clock(), self._master()
        record = Record(self._program, number, Phase.REQUESTED, master or MasterId(0, 0), now, now)
        method, why = self._plan()
        record = record.but(preloaded=_has_preloaded(self.ended, master), method=method, why=why)
        self.running, self.command = record, ""
        if master is None:
            self._fail(record, "it is not running")
        else:
            self._note(record)
        return number

    def _fail(self, record: Record, reason: str) -> None:
        now = self._clock()
        why = record.reason_and(reason)
        failed = record.but(phase=Phase.FAILED, reason=why, since=now, ended=now)
        self._end(failed.after(record))

    def _end(self, record: Record) -> None:
        self.running = None
        self.ended = [*self.ended[1 - KEPT :], record]
        self._note(record)
        number, self.queued_next = self.queued_next, 0
        if number:
            self._begin(number)

    def _note(self, record: Record) -> None:
        self.changes += 1
        phase = (record.number, record.phase)  # once a phase, not at every worker that is ready
        entered, self._published = phase != self._published, phase
        self._changed(record, entered)


def takes_over(record: Record) -> bool:
    """True if the old master got its graceful signal and the new one replaces it."""
    return record.phase is Phase.CONFIRMING or record.phase.traits.quits == "old"


def _has_preloaded(ended: list[Record], master: MasterId | None) -> bool:
    """True if an earlier handover has seen that a master has its application in memory.

    When that master was new, its configuration was there to be read; by now the disk may have the
    next release's.
    """
    return any(
        (record.new == master and record.new_preloaded)
        or (record.old == master and record.preloaded)
        for record in ended
    )
