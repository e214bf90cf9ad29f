"""The host side: what supervisord and circusd do in the same way, within their own loops.

Nothing here blocks or polls. What differs - the programs, the log, the events - each host adds.
"""

from __future__ import annotations

import abc
import os
import signal
from collections.abc import Collection
from typing import Any

from ..errors import Refused, printable, raised
from ..family import members
from ..family.orphans import Orphans
from ..family.successors import Heirs
from ..kernel.process import Process
from ..kernel.system import System
from ..model.deadlines import deadline
from ..model.excerpt import most_telling
from ..model.options import Options, Settings
from ..model.orders import Order, Orders
from ..model.phases import Phase
from ..model.record import MasterId, Record
from ..progress import struct
from ..servers import Launch, server_of
from .channel import HostEnd
from .handovers import DRIVER_GRACE, Ledger
from .logs import Output
from .version import version_gap

ACCEPTING = 2.0  # seconds a caller who does not wait is held for the driver's first look


class HostSide(abc.ABC):
    """Keeps the ledger of one host's programs, and speaks with the driver.

    Programs go by the names that the host's own commands know them by.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.settings = Settings({})
        self.ledger = Ledger(system.clock, self.master, self._changed)
        self._channel: HostEnd | None = None
        self._ordered: object = None
        self._told: dict[str, tuple[int, Phase]] = {}
        self._version_gap = ""  # between this host and its driver
        self._unrecognised: set[str] = set()  # programs whose server has not been seen yet

    # -- what each host adds ---------------------------------------------------------------------

    @abc.abstractmethod
    def master(self, program: str) -> MasterId | None:
        """The program's living master, or None."""

    @abc.abstractmethod
    def options(self, program: str) -> Options | None:
        """The program's options, None if it is not managed."""

    @abc.abstractmethod
    def launch(self, program: str) -> Launch:
        """How the program would be started now."""

    @abc.abstractmethod
    def stop_signal(self, program: str) -> tuple[str, int]:
        """The setting, as "[section] key", and the number of the program's stop signal."""

    @abc.abstractmethod
    def known_pids(self) -> Collection[int]:
        """The pids of all that the host has started or adopted, of whatever program."""

    @abc.abstractmethod
    def settle(self, program: str) -> None:
        """Adopt the program's new master now, if the old one is dead."""

    @abc.abstractmethod
    def output(self, program: str) -> Output:
        """What the program writes through the host."""

    @abc.abstractmethod
    def tell(self, text: str, warning: bool) -> None:
        """Write a line to the host's log."""

    @abc.abstractmethod
    def publish(self, record: Record) -> None:
        """Send the host's event for a handover that entered a phase."""

    @abc.abstractmethod
    def absence(self) -> str:
        """Why there is no driver, and what to do."""

    # -- the driver ------------------------------------------------------------------------------

    def driver_came(self, channel: HostEnd) -> None:
        """Take note that a driver is there, and give it what is to be driven."""
        self._channel, self._ordered = channel, None
        self.ledger.driver_came()
        self._send_orders()

    def driver_greeted(self, version: object) -> None:
        """Take note of the driver's version."""
        self._version_gap = version_gap(version)
        if self._version_gap:
            self.tell(self._version_gap, True)

    def driver_went(self) -> None:
        """Take note that the driver has gone."""
        if self._channel:
            self._channel, self._ordered, self._version_gap = None, None, ""
            self.ledger.driver_went()

    def take(self, fields: dict[str, Any]) -> None:
        """Take a record from the driver. Raises KeyError, TypeError or ValueError if it is none."""
        record = Record.from_json(fields)
        if self.options(record.program) is None:
            return
        try:
            record = self._prepared(record)
        except Exception as error:  # a record that were lost for it would never come again
            self.tell(f"{record.program}: {raised(error)}", True)
        self.ledger.report(record)

    def _prepared(self, record: Record) -> Record:
        if record.phase is Phase.DONE:  # the old master is dead: adopt before anybody is told
            self.settle(record.program)
        return record.but(output=self._output(record))

    def _output(self, record: Record) -> tuple[str, ...]:
        """The cause, from what passed through the host or from the files that the driver has read.

        What the masters write while the new one is backed out explains nothing.
        """
        if not record.reason or not record.signalled:
            return ()
        known = self.ledger.find(record.program, record.number)
        if known and known.output:
            return known.output
        output = self.output(record.program)
        old = members.writers(self.system, record.old.pid)
        found = most_telling([*output.excerpts(old), record.output])
        return found or tuple(filter(None, [output.elsewhere()]))

    def _send_orders(self) -> None:
        """Give the driver the list of handovers, if it is not what it was given last."""
        if self._channel is None:
            return
        orders = [
            Order(
                record,
                options,
                self.ledger.page(record.program).wish,
                self.launch(record.program),
            )
            for record in self.ledger.running()
            for options in [self.options(record.program)]
            if options is not None
        ]
        ordered = [(order.record.key, order.wish) for order in orders]
        if ordered != self._ordered:
            self._ordered = ordered
            self._channel.say(Orders(orders, self.settings.max_handovers).to_json())

    def _changed(self, record: Record) -> None:
        """A handover began, moved on or ended: log it, publish it, and keep the driver informed."""
        told = (record.number, record.phase)  # once a phase, not at every worker that is ready
        if told != self._told.get(record.program):
            self._told[record.program] = told
            self.tell(describe(record), record.phase.traits.warns)
            self.publish(record)
        self._listen(record)
        self._send_orders()

    def _listen(self, record: Record) -> None:
        """Keep what a program writes from the request of a handover to its end."""
        if self.options(record.program) is None:
            return
        if record.phase is Phase.REQUESTED:
            self.output(record.program).begin()
        elif record.phase.final:
            self.output(record.program).end()

    # -- what the programs tell ------------------------------------------------------------------

    def started(self, program: str) -> None:
        """Take note that a program was started, or is managed from now on."""
        self._unrecognised.add(program)
        self._warn_of_stop_signals()

    def _warn_of_stop_signals(self) -> None:
        """Warn of those that cut requests, as soon as each program shows which server it runs.

        A process that was forked just now shows its host's command line, or that of `bundle exec`.
        """
        for program in sorted(self._unrecognised):
            master, options = self.master(program), self.options(program)
            if options is None:
                self._unrecognised.discard(program)
                continue
            server = server_of(self.system, master.pid, options.server) if master else None
            if server is None:
                continue
            self._unrecognised.discard(program)
            setting, number = self.stop_signal(program)
            if number in (server.quick, signal.SIGINT, signal.SIGKILL):
                name, good = signal.Signals(number).name[3:], server.graceful.name[3:]
                self.tell(
                    f"{setting}: {name} makes {server.name} cut its requests at every stop; "
                    f"set {setting.split()[-1]} = {good}",
                    True,
                )

    def told_to_quit(self, program: str, pid: int) -> bool:
        """True if a handover has told this master to quit."""
        return self.ledger.was_told_to_quit(program, pid)

    def new_master(self, program: str, old: int) -> MasterId | None:
        """The new master that a handover has found for the master with the pid `old`, or None.

        Of one that has ended, too: the driver may see the death of `old` before the host does.
        """
        page = self.ledger.page(program)
        records = [*page.ended[-1:], *([page.running] if page.running else [])]
        found = [record.new for record in records if record.new and record.old.pid == old]
        return found[-1] if found else None

    def find_successor(
        self,
        program: str,
        old: int,
        process_group: int,
        heirs: Heirs,
        orphans: Orphans,
        patience: float,
    ) -> Process | None:
        """Hold the next master after the dead `old`, or None: then `orphans` keeps what is left."""
        known = self.known_pids()
        pids = [pid for pid in self.system.children(os.getpid()) if pid not in known]
        left = orphans.left_in(process_group, pids)
        new = self.new_master(program, old)
        successor = heirs.take() or members.successor_among(
            self.system, pids, old, process_group, new
        )
        if successor is None:
            orphans.keep(left, patience)
            return None
        for process in left:
            process.close()
        return successor

    def adopted(self, program: str, new: MasterId) -> None:
        """Take note of a program's new master."""
        self.ledger.adopted(program, new)
        self._send_orders()

    def lost(self, program: str) -> None:
        """Take note that a program has no master any more."""
        self.ledger.lost(program, "the program ended")

    def ending(self, program: str, reason: str) -> None:
        """Let the driver go: the program's masters are about to be ended."""
        self.ledger.cancel(program, reason)

    # -- what callers ask ------------------------------------------------------------------------

    def tick(self) -> None:
        """Tell the callers if the driver stays away, and look at programs that started."""
        self._warn_of_stop_signals()
        self.ledger.tick(self.absence())

    def request(self, program: str) -> int:
        """Ask for a handover of a program, and return its number."""
        # What the driver said and nobody has heard yet may be that USR2 was sent: the release that
        # this caller wants could be too late for that one.
        heard = self._channel is None or not self._channel.has_unread
        return self.ledger.request(program, joins=heard)

    def wish(self, program: str, wish: str) -> str:
        """Pass the operator's wish ("rollback", "promote") on; return why it cannot be, or ""."""
        refusal = self.ledger.wish(program, wish)
        self._send_orders()
        return refusal

    def handover(self, program: str, number: int) -> Record | None:
        """The handover that a caller waits for, or None while it waits behind another one.

        Raises Refused if it never comes, or has no driver.
        """
        page, record = self.ledger.page(program), self.ledger.find(program, number)
        if record and record.phase.final:
            return record
        if number > page.last:
            raise Refused("the host was reloaded, and knows nothing of it any more")
        if record is None and page.ended and number < page.ended[0].number:
            raise Refused("it ended long ago, and nobody remembers how")
        if record is None and page.following != number:
            raise Refused("it was waiting behind a handover that was cancelled")
        if self._is_stranded(program):
            raise Refused(self.stranded(program))
        return record

    def _is_stranded(self, program: str) -> bool:
        """True if no driver has been there, or none has ended an overdue phase, for some time."""
        running = self.ledger.page(program).running
        if running is None:
            return False
        # One in the queue waits for the others, and has no deadline of its own.
        awaited = self.ledger.running() if running.phase is Phase.QUEUED else [running]
        return self.ledger.is_driverless(running) or any(map(self._is_overdue, awaited))

    def _is_overdue(self, record: Record) -> bool:
        options = self.options(record.program)
        if options is None:
            return False
        return self.system.clock() >= deadline(record, options) + DRIVER_GRACE

    def stranded(self, program: str) -> str:
        """What to tell a caller whose handover has no driver."""
        running = self.ledger.page(program).running
        phase = running.phase if running else Phase.REQUESTED
        return f"{self.absence()}; it will go on with the handover, which is {phase.value}"

    def status(self, program: str) -> dict[str, Any]:
        """What the status commands show of a program's handovers, in plain types."""
        page, now = self.ledger.page(program), self.system.clock()
        return {
            "phase": page.running.phase.value if page.running else "idle",
            "running": struct(page.running, now) if page.running else {},
            "following": page.following,
            "ended": [struct(record, now) for record in page.ended],
            "changes": page.changes,
            "stranded": self.stranded(program) if self._is_stranded(program) else "",
            "warning": self._version_gap,
        }


def looked_at(record: Record | None) -> bool:
    """True once the driver has looked at a handover, or it waits behind one that it drives."""
    return record is None or record.phase.traits.accepted


def describe(record: Record) -> str:
    """One log line for a record's phase."""
    new = f" -> {record.new.pid}" if record.new else ""
    ready = f", {record.ready} of {record.total} workers ready" if record.total else ""
    reason = f": {printable(record.reason, 400)}" if record.reason else ""
    if record.phase is Phase.SOAKING and record.both_serve:
        reason = f"; both releases serve: {printable(record.both_serve, 400)}"
    return (
        f"handover {record.number} of {record.program}: {record.phase.value} "
        f"(pid {record.old.pid}{new}{ready}){reason}"
    )
