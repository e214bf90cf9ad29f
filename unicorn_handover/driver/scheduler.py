"""Drives the handovers of many programs in one thread.

The host sends its whole list of handovers whenever it changes; the driver answers with records.
So a message can be merged with the next one, and a driver that starts anew needs no history.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Collection

from ..errors import complain, raised
from ..kernel.system import System
from ..model.orders import Order, Orders
from ..model.phases import NEVER_BEGAN, Event, Phase
from ..model.record import MasterId, Record
from .handover import Handover
from .late_master import LateMaster

Key = tuple[str, int, MasterId]
COMMANDS = {"rollback": Event.ROLLBACK, "promote": Event.PROMOTE}


class Driver:
    """Runs handovers as the host orders them; `report` carries each new record to the host."""

    def __init__(self, system: System, report: Callable[[Record], None]) -> None:
        self._system = system
        self._report = report
        self._running: dict[Key, Handover] = {}
        self._orders = Orders()
        self._troubled: set[Key] = set()  # in which an error of our own has happened once
        self._queued: set[Key] = set()  # and reported to be
        self._late_masters: dict[str, LateMaster] = {}  # by program
        # Reported, but the host has not read it yet; each with its new master.
        self._ended: dict[Key, MasterId | None] = {}

    def take(self, orders: Orders) -> None:
        """Follow a new list: begin new orders, and drop removed ones without a signal."""
        self._orders = orders
        wanted = {o.record.key for o in orders.orders}
        self._ended = {key: new for key, new in self._ended.items() if key in wanted}
        self._troubled &= wanted
        self._queued &= wanted
        for key in [key for key in self._running if key not in wanted]:
            self._running.pop(key).close(cancelled=True)
        for order in orders.orders:
            self._drop_replaced(order.record)
            running = self._running.get(order.record.key)
            if running:
                running.named(order.record)
            if running and order.command in COMMANDS:
                running.command(COMMANDS[order.command])
        self._begin_more()

    def _drop_replaced(self, record: Record) -> None:
        """Forget a handover whose new master is dead and for which the host starts another one.

        It is begun again, as in another driver's place.
        """
        key, running = record.key, self._running.get(record.key)
        known = running.record.new if running else self._ended.get(key)
        if record.phase is Phase.STARTING and known and record.new != known:
            self._ended.pop(key, None)
            if running:
                self._running.pop(key).close()

    def step(self, ready: Collection[int] | None = None) -> None:
        """Move handovers through as many phases as the present facts allow.

        Those that are due, and those of a descriptor that is `ready`; all of them if that is None.
        """
        for key, handover in list(self._running.items()):
            if self._is_due(handover, ready):
                self._contain(handover.step, handover.record)
            if handover.finished:
                self._end(key)
        for program, late in list(self._late_masters.items()):
            if self._is_due(late, ready):
                self._step_late_master(program)
        self._begin_more()

    def _is_due(self, one: Handover | LateMaster, ready: Collection[int] | None) -> bool:
        # One that polls every few milliseconds must not have all others polled as often.
        if ready is None or one.wake_at() <= self._system.clock():
            return True
        return any(descriptor in ready for descriptor in one.descriptors())

    def wait(self, selector: selectors.BaseSelector) -> set[int]:
        """Wait until a file of the selector is readable, a process exits or a deadline passes.

        Return the descriptors that are readable.
        """
        awaited: list[Handover | LateMaster] = [
            *self._running.values(),
            *self._late_masters.values(),
        ]
        watched = {descriptor for one in awaited for descriptor in one.descriptors()}
        for descriptor in watched:
            selector.register(descriptor, selectors.EVENT_READ)
        wake_at = min((one.wake_at() for one in awaited), default=float("inf"))
        try:
            timeout = None if wake_at == float("inf") else max(0, wake_at - self._system.clock())
            return {key.fd for key, _ in selector.select(timeout)}
        finally:
            for descriptor in watched:
                selector.unregister(descriptor)

    def close(self) -> None:
        """Close every descriptor. The processes keep running."""
        for handover in self._running.values():
            handover.close()
        for late in self._late_masters.values():
            late.close()
        self._running.clear()
        self._late_masters.clear()

    def _end(self, key: Key) -> None:
        """Drop a handover, but keep waiting for a new master that may still appear."""
        handover = self._running.pop(key, None)
        self._ended[key] = handover.record.new if handover else None
        if handover is None:
            return
        if handover.new_may_come:
            late = LateMaster(self._system, handover.options, handover.record)
            self._late_masters[handover.record.program] = late
        handover.close()

    def _begin_more(self) -> None:
        """Begin orders while `max_handovers` allows; handovers under way do not count again."""
        for order in self._orders.orders:
            record = order.record
            key = record.key
            if key in self._running or key in self._ended:
                continue
            waiting = record.phase in (Phase.REQUESTED, Phase.QUEUED)
            if waiting and order.command == "rollback":
                self._ended[key] = None
                self._fail(record, NEVER_BEGAN)
                continue
            # A late master may be the one of a USR2 by hand, and is a second one for all others.
            may_begin = not self._removes_late_master(record.program)
            if may_begin and (not waiting or self._has_room()):
                self._contain(lambda order=order: self._begin(order), record)  # type: ignore[misc]
            elif record.phase is Phase.REQUESTED and key not in self._queued:
                self._queued.add(key)
                self._report(record.but(phase=Phase.QUEUED, since=self._system.clock()))

    def _has_room(self) -> bool:
        limit = self._orders.max_handovers
        return limit == 0 or len(self._running) < limit

    def _removes_late_master(self, program: str) -> bool:
        late = self._late_masters.get(program)
        return late is not None and late.removing

    def _begin(self, order: Order) -> None:
        late = self._late_masters.pop(order.record.program, None) if order.record.found else None
        if late:
            late.close()
        handover = Handover(self._system, order, self._enters)
        self._running[order.record.key] = handover
        if order.command in COMMANDS:
            handover.command(COMMANDS[order.command])
        handover.step()

    def _enters(self, record: Record) -> None:
        """Report a handover's record, before it is acted upon."""
        late = self._late_masters.get(record.program)
        if late and not late.removing and record.phase is Phase.RE_EXECUTING:
            self._late_masters.pop(record.program).close()  # what comes now is this handover's
        self._report(record)

    def _step_late_master(self, program: str) -> None:
        late = self._late_masters[program]
        try:
            late.step()
        except Exception as error:
            complain(f"{program}: a new master may come late: {raised(error)}")
            self._late_masters.pop(program).close()
            return
        if late.over:
            self._late_masters.pop(program).close()

    def _contain(self, act: Callable[[], None], record: Record) -> None:
        """Contain an error: it fails this program's handover and stops no other."""
        try:
            act()
        except Exception as error:
            why = f"the driver gave up: {raised(error)}"
            handover = self._running.get(record.key)
            if handover and record.key not in self._troubled and handover.give_up(why):
                self._troubled.add(record.key)
                return
            self._end(record.key)
            self._fail(handover.record if handover else record, why)

    def _fail(self, record: Record, why: str) -> None:
        now, why = self._system.clock(), record.reason_and(why)
        self._report(record.but(phase=Phase.FAILED, reason=why, since=now, ended=now))
