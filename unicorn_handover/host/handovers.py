"""What the host knows of its programs' handovers: one running each, at most one waiting, the last.

It lives in the host, so it outlives every driver. It does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model.phases import NEVER_BEGAN, Phase
from ..model.record import MasterId, Record

DRIVER_GRACE = 15.0  # seconds a driver may be away before callers are told
KEPT = 10  # ended handovers remembered for each program


@dataclass
class Page:
    """A program's running handover, the number of the one that is to follow, and those ended."""

    running: Record | None
    following: int
    ended: list[Record]
    last: int = 0  # the last number given to a caller; none is given twice
    changes: int = 0  # counts the changes of this page, for those who watch it
    wish: str = ""
    told_to_quit: MasterId | None = None  # the master that a handover has told to quit

    def next_number(self) -> int:
        """Return a number that no handover of the program had, nor one that was cancelled."""
        self.last += 1
        return self.last


class Ledger:
    """The handovers of all managed programs.

    `clock` gives CLOCK_MONOTONIC seconds. `master` tells a program's living master, or None.
    `changed` is called after every change with the record that changed.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        master: Callable[[str], MasterId | None],
        changed: Callable[[Record], None],
    ) -> None:
        self._clock = clock
        self._master = master
        self._changed = changed
        self._pages: dict[str, Page] = {}
        self._driver_since: float | None = None
        self._driverless_since = clock()

    def page(self, program: str) -> Page:
        """Return the program's page, an empty one if it has none yet."""
        return self._pages.setdefault(program, Page(None, 0, []))

    def find(self, program: str, number: int) -> Record | None:
        """Return the handover of that number if it has begun and is still remembered."""
        page = self.page(program)
        known = [page.running] if page.running else []
        return next((r for r in known + page.ended if r.number == number), None)

    def running(self) -> list[Record]:
        """All handovers under way: what a driver is to drive."""
        return [page.running for page in self._pages.values() if page.running]

    def request(self, program: str, joins: bool = True) -> int:
        """Ask for a handover and return its number.

        One that has not begun yet serves this caller too if it `joins`; behind one that has,
        exactly one more follows, however many ask.
        """
        page = self.page(program)
        if page.running is None:
            return self._begin(program, page.next_number())
        if joins and not page.running.phase.traits.begun:
            return page.running.number
        page.following = page.following or page.next_number()
        return page.following

    def report(self, record: Record) -> None:
        """Take a record from the driver; an old or a foreign one changes nothing."""
        page = self.page(record.program)
        running = page.running
        if running is None or running.key != record.key:
            return
        page.running = record = record.after(running)
        if record.phase.traits.quits == "old":
            page.told_to_quit = record.old
        elif record.phase.traits.quits == "new":  # it may become the master, if the old one dies
            page.told_to_quit = record.new
        if record.phase.final:
            self._end(page, record)
        else:
            self._tell(page, record)

    def cancel(self, program: str, reason: str) -> None:
        """End a program's handovers without another signal: its masters are being ended."""
        page = self.page(program)
        page.following = 0
        if page.running:
            self._fail(page, page.running, reason)

    def wish(self, program: str, wish: str) -> str:
        """Take the operator's "rollback" or "promote"; return why it cannot be, or ""."""
        page = self.page(program)
        if page.running is None:
            return f"no handover of {program} is running, so there is nothing to {wish}"
        phase = page.running.phase
        if phase.traits.decided:
            return f"the handover is {phase.value} already, so it is too late to {wish}"
        page.wish = wish
        if wish == "rollback":
            page.following = 0
            # A driver that is there may have begun, and not have been heard yet.
            if not phase.traits.begun and not self.driver_is_there:
                self._fail(page, page.running, NEVER_BEGAN)
        return ""

    def was_told_to_quit(self, program: str, pid: int) -> bool:
        """True if a handover, though it may have failed since, told this master to quit."""
        told = self.page(program).told_to_quit
        return told is not None and told.pid == pid

    def adopted(self, program: str, new: MasterId) -> None:
        """Note that the host took `new` for the program's master.

        While the old master was draining, that is the end of the handover; the driver need not be
        there to say so.
        """
        page = self.page(program)
        if page.told_to_quit != new:
            page.told_to_quit = None
        record = page.running
        if record and record.phase in (Phase.REQUESTED, Phase.QUEUED):
            page.running = record.but(old=new)  # somebody sent USR2 by hand before it began
        elif record and record.new == new and record.phase.traits.quits == "old":
            self.report(record.but(phase=Phase.DONE, since=self._clock(), ended=self._clock()))

    def lost(self, program: str, reason: str) -> None:
        """Note that the program's master died and nothing took its place."""
        page = self.page(program)
        page.told_to_quit = None
        if page.running:
            self._fail(page, page.running, reason)

    def driver_came(self) -> None:
        """Note that a driver is there."""
        self._driver_since = self._clock()

    def driver_went(self) -> None:
        """Note that no driver is there."""
        self._driver_since = None
        self._driverless_since = self._clock()

    @property
    def driver_is_there(self) -> bool:
        """True while a driver is there."""
        return self._driver_since is not None

    def is_driverless(self, record: Record) -> bool:
        """True if no driver has been there for DRIVER_GRACE, and that since this was asked for."""
        since = max(self._driverless_since, record.began)
        return self._driver_since is None and self._clock() >= since + DRIVER_GRACE

    def _is_passed_over(self, record: Record) -> bool:
        """True if a driver has been there for DRIVER_GRACE, and did not take this one."""
        if self._driver_since is None or record.phase is not Phase.REQUESTED:
            return False
        return self._clock() >= max(self._driver_since, record.since) + DRIVER_GRACE

    def tick(self, absence: str) -> None:
        """Give up what has not begun if the driver stays away or is stuck.

        `absence` tells the operator. What has begun is kept: the next driver finishes it or backs
        it out.
        """
        for page in self._pages.values():
            running = page.running
            if running is None or running.phase.traits.begun:
                continue
            if self.is_driverless(running) or self._is_passed_over(running):
                page.following = 0
                self._fail(page, running, absence)

    def forget(self, program: str) -> None:
        """Drop a program that is managed no more."""
        self._pages.pop(program, None)

    def _begin(self, program: str, number: int) -> int:
        page = self.page(program)
        now = self._clock()
        master = self._master(program)
        record = Record(program, number, Phase.REQUESTED, master or MasterId(0, 0), now, now)
        record = record.but(preloaded=_preloaded(page, master))
        page.running = record
        page.wish = ""
        if master is None:
            self._fail(page, record, "it is not running")
        else:
            self._tell(page, record)
        return number

    def _fail(self, page: Page, record: Record, reason: str) -> None:
        now = self._clock()
        why = f"{record.reason}; {reason}" if record.reason else reason
        failed = record.but(phase=Phase.FAILED, reason=why, since=now, ended=now)
        self._end(page, failed.after(record))

    def _end(self, page: Page, record: Record) -> None:
        page.running = None
        page.ended = [*page.ended[1 - KEPT :], record]
        self._tell(page, record)
        number, page.following = page.following, 0
        if number:
            self._begin(record.program, number)

    def _tell(self, page: Page, record: Record) -> None:
        page.changes += 1
        self._changed(record)


def _preloaded(page: Page, master: MasterId | None) -> bool:
    """True if an earlier handover has seen that a master has its application in memory.

    When that master was new, its configuration was there to be read; by now the disk may have the
    next release's.
    """
    return any(
        (record.new == master and record.new_preloaded)
        or (record.old == master and record.preloaded)
        for record in page.ended
    )
