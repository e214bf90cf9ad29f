"""What all hosts do alike, on their own event loops: programs, orders to the driver, answers.

Nothing here blocks or polls. Programs go by the names that the host's own commands know them by.
"""

from __future__ import annotations

import abc
import contextlib
import socket
from collections.abc import Callable, Iterator
from logging import INFO, WARNING
from typing import Any

from ..errors import printable
from ..kernel.system import System
from ..model.deadlines import deadline
from ..model.options import Options, Settings
from ..model.orders import Orders
from ..model.phases import Phase
from ..model.record import MasterId, Record
from ..progress import struct
from .base import Host
from .channel import HostEnd
from .guard import contained
from .loop import Loop
from .presence import DRIVER_GRACE
from .program import Program
from .version import version_gap


class HostSide(Host):
    """The managed programs of one host, the orders to its driver, and what callers are answered."""

    def __init__(self, system: System, loop: Loop) -> None:
        super().__init__(system, loop)
        self.settings = Settings({})
        self.programs: dict[str, Program] = {}
        self._channel: HostEnd | None = None
        self._ordered: object = None
        self._collecting = 0
        self._version_gap = ""  # between this host and its driver

    def publish(self, record: Record) -> None:
        """Send the host's event for a handover that entered a phase, on a host that has events."""

    @abc.abstractmethod
    def why_no_driver(self) -> str:
        """Why there is no driver, or none that answers, and what to do."""

    def manage(self, name: str, options: Options) -> Program:
        """Return the program of this name, a new one if there is none."""
        program = self.programs.get(name)
        if program is None:
            program = Program(self, name, options, self.changed)
            self.programs[name] = program
        program.options = options
        return program

    def forget(self, name: str, reason: str) -> None:
        """Drop a program that is managed no more; `reason` is that of its handovers' end."""
        program = self.programs.get(name)
        if program:
            program.handovers.cancel(reason)
            del self.programs[name]
            program.release()
            program.survival.forget()

    @contained()
    def ends(self) -> None:
        """Note that the host was told to end: what has ended with it is not to be remembered.

        Nor held: Supervisor's reload closes all by their numbers, which others have when the copies
        are collected.
        """
        self.is_ending = True
        for program in self.programs.values():
            if program.master is None:
                program.held.let_go()
            program.survival.note()

    def driver_came(self, channel: HostEnd) -> None:
        """Note that a driver is there, and send it the orders."""
        self._channel, self._ordered = channel, None
        for program in self.programs.values():
            running = program.handovers.running
            if running:
                program.handovers.running = self.presence.uncounted(running, program.options)
        self.presence.came()
        self._send_orders()

    def driver_greeted(self, version: object) -> None:
        """Note the driver's version."""
        self._version_gap = version_gap(version)
        if self._version_gap:
            self.log(WARNING, self._version_gap)

    def driver_went(self) -> None:
        """Note that the driver has gone."""
        if self._channel:
            self._channel, self._ordered, self._version_gap = None, None, ""
            self.presence.went()

    def take(self, fields: dict[str, Any]) -> None:
        """Store a record of the driver. Raises KeyError, TypeError or ValueError if it is none."""
        record = Record.from_json(fields)
        self.presence.heard()
        program = self.programs.get(record.program)
        if program:
            program.report(record)

    @contained()
    def changed(self, record: Record, entered: bool) -> None:
        """Log and publish that a handover has `entered` a phase; keep the driver informed."""
        if entered:
            warns = record.phase.traits.warns or (record.phase.final and record.warning)
            self.log(WARNING if warns else INFO, describe(record))
        self._send_orders()
        if entered:
            self.publish(record)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Send the driver one list of all that is begun, reported and named in here.

        Each list has all handovers, so one for each of many would cost the square of their number.
        """
        self._collecting += 1
        try:
            yield
        finally:
            self._collecting -= 1
            self._send_orders()

    @contained()
    def _send_orders(self) -> None:
        """Send the driver the list of handovers, if it has changed."""
        if self._channel is None or self._collecting:
            return
        orders = [
            order for program in self.programs.values() for order in [program.order()] if order
        ]
        # The driver knows all the rest: it has reported it.
        ordered = [
            (order.record.key, order.command, started_by_host(order.record)) for order in orders
        ]
        if ordered != self._ordered:
            self._ordered = ordered
            self._channel.say(Orders(orders, self.settings.max_handovers).to_json())

    @contained()
    def tick(self) -> None:
        """Poll all programs, and cancel handovers that have not begun if the driver is away.

        What has begun is kept: the next driver finishes it or backs it out. If its new master was
        adopted, no driver is needed for that.
        """
        for program in list(self.programs.values()):
            program.stop_signal.check()
            program.held.check()
            running = program.handovers.running
            if running is None:
                continue
            if running.phase.traits.begun:
                new = program.master
                if new and new == running.new and self.presence.is_missed_by(running):
                    program.handovers.adopted(new, driver_is_there=False)
                continue
            if self.presence.is_missed_by(running) or self.presence.passes_over(running):
                program.handovers.cancel(self.why_no_driver())
        self.upkeep()

    def request(self, program: Program, joins: bool = True) -> int:
        """Ask for a handover of a program, of its own unless it `joins`; return its number."""
        # An unread record may say that USR2 has already been sent: too early for the release that
        # this caller has just deployed. Then another handover is queued instead.
        heard = self._channel is None or not self._channel.has_unread
        return program.handovers.request(joins=joins and heard)

    def steer(self, program: Program, command: str) -> str:
        """Pass the operator's "rollback" or "promote" on; return why it cannot be, or ""."""
        refusal = self._steer(program, command)
        self._send_orders()
        return refusal

    def _steer(self, program: Program, command: str) -> str:
        second = None if program.handovers.running else program.second_master()
        if second is None:
            return program.handovers.steer(command, self.presence.is_there)
        if not self.presence.is_there:
            return self.why_no_driver()
        return program.handovers.take_up(command, *second)

    def driverless(self, program: Program) -> str:
        """The error for a caller whose handover has no driver, or ""."""
        running = program.handovers.running
        if running is None or not self._is_driverless(running):
            return ""
        phase = running.phase.value
        return f"{self.why_no_driver()}; it will go on with the handover, which is {phase}"

    def _is_driverless(self, running: Record) -> bool:
        """True if no driver has been there, or none has ended an overdue phase, for some time."""
        # One in the queue waits for the others, and has no deadline of its own.
        queue = [p.handovers.running for p in self.programs.values() if p.handovers.running]
        awaited = queue if running.phase is Phase.QUEUED else [running]
        return self.presence.is_missed_by(running) or any(map(self._is_overdue, awaited))

    def _is_overdue(self, record: Record) -> bool:
        options = self.programs[record.program].options
        return self.system.clock() >= deadline(record, options) + DRIVER_GRACE

    def status(self, program: Program) -> dict[str, Any]:
        """What the status commands show of a program's handovers, in plain types."""
        handovers, now = program.handovers, self.system.clock()
        running = handovers.running
        return {
            "phase": running.phase.value if running else "idle",
            "running": struct(running, now) if running else {},
            "following": handovers.queued_next,
            "ended": [struct(record, now) for record in handovers.ended],
            "changes": handovers.changes,
            "to_be_left": program.survival.left,
            "stranded": self.driverless(program),
            "warning": self._version_gap,
        }


def started_by_host(record: Record) -> MasterId | None:
    """The new master that the host has started and the driver does not know yet."""
    return record.new if record.phase is Phase.STARTING else None


def describe(record: Record) -> str:
    """One log line for a record's phase."""
    is_first = record.phase in (Phase.STARTING, Phase.RE_EXECUTING)
    way = f" ({record.way})" if is_first and record.why else ""
    new = f" -> {record.new.pid}" if record.new else ""
    ready = f", {record.ready} of {record.total} workers ready" if record.total else ""
    reason = f": {printable(record.reason, 400)}" if record.reason else ""
    if record.warning and record.phase.final:
        reason = f"; {record.warning}{reason}"
    if record.answer and record.phase.final:
        reason = f"; {record.answer}{reason}"
    if record.phase is Phase.SOAKING and record.both_serve:
        reason = f"; both releases serve: {printable(record.both_serve, 400)}"
    return (
        f"handover {record.number} of {record.program}: {record.phase.value}{way} "
        f"(pid {record.old.pid}{new}{ready}){reason}"
    )


def host_end(
    side: HostSide,
    channel: socket.socket,
    hear: Callable[[HostEnd, dict[str, Any]], None],
    went: Callable[[HostEnd], None],
) -> HostEnd:
    """A host's end of the channel to its driver: see `HostEnd`."""
    return HostEnd(channel, side.loop, hear, went, side.log, side.together, side.system.clock)
