"""What one handover works with: its record, both masters, and the tools of its phase."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..family import members
from ..family.served import listening_numbers
from ..kernel.process import Process
from ..kernel.system import System
from ..model.deadlines import deadline
from ..model.orders import Order
from ..model.phases import POLL_PAUSE, Event, Phase
from ..model.record import MasterId, Record
from ..servers import SERVERS, Server
from .logs import LogFiles
from .new_workers import NewWorkers
from .quiesce import why_both_serve
from .re_exec import ReExec
from .restore import Restoration
from .shared_names import SharedNames
from .trial import Trial

if TYPE_CHECKING:
    from .check import Check

LOOK_PAUSE = 1.0  # seconds between two looks at most: one that is late shows what was missed


class Situation:
    """Shared by what observes (`observe`), what acts (`act`) and the machine (`handover`)."""

    def __init__(self, system: System, order: Order, report: Callable[[Record], None]) -> None:
        self.system = system
        self.options = order.options
        self.record = record = order.record
        self.launch = order.launch  # of the old master
        self.next_launch = order.next_launch  # of one that the host starts
        self._report = report
        self.server: Server | None = SERVERS.get(record.server)
        self.old = system.hold(*record.old)
        self._process_group = members.process_group(system, self.old)
        self.new = system.hold(*record.new) if record.new else None
        self._gone: set[Process] = set()  # seen to be; their pidfds stay readable
        self.refusal = ""
        self.drain_limit: float | None = None  # the old master's own, in seconds
        self.command: Event | None = None  # the operator's ROLLBACK or PROMOTE
        self.trouble = ""  # an error of our own, because of which a ROLLBACK is nobody's command
        self.check: Check | None = None
        self.restoration: Restoration | None = None
        self.resumed = False  # True in the phase in which another driver left the handover
        self.trial: Trial | None = None
        self.re_exec: ReExec | None = None  # until the old master has shown what came of USR2
        self.names = SharedNames(system)
        self.usual_life = math.inf  # see `NewWorkers`
        self._workers: NewWorkers | None = None
        self.logs = LogFiles(system)
        self.looked = system.clock()  # when the present look at the facts began

    def report(self, **changes: object) -> None:
        """Change the record, and give it to the host."""
        self.record = self.record.but(**changes)
        self._report(self.record)

    def show(self, ready: int, total: int) -> None:
        """Report how many workers are ready, if that is news."""
        if (ready, total) != (self.record.ready, self.record.total):
            self.report(ready=ready, total=total)

    @property
    def deadline(self) -> float:
        """When the phase has lasted too long, on the clock."""
        return deadline(self.record, self.options)

    @property
    def is_late(self) -> bool:
        """True if the phase had lasted too long when this look at it began.

        This process may have been stopped since: what it has seen would be older than the clock.
        """
        return self.looked >= self.deadline

    @property
    def old_gone(self) -> bool:
        """True once the old master is dead."""
        return self._is_gone(self.old)

    @property
    def new_gone(self) -> bool:
        """True once the new master, which was known, is dead."""
        return self.record.new is not None and self._is_gone(self.new)

    def _is_gone(self, process: Process | None) -> bool:
        if process and not process.alive():
            self._gone.add(process)
        return process is None or process in self._gone

    def awaited(self) -> Iterator[int]:
        """The descriptors that become readable when there is something to observe."""
        # Not those that are alive: one that died since the last poll would cause no wake-up then.
        yield from (p.fileno() for p in (self.old, self.new) if p and p not in self._gone)
        if self.names.descriptor >= 0:
            yield self.names.descriptor

    def find_new(self) -> Process | None:
        """Hold the new master that the old one, living or dead, has re-executed, or None."""
        assert self.server is not None
        if self.old and not self.old_gone:
            return members.successor(self.system, self.old, self.server)
        orphans = self.system.group_members(self._process_group)
        return members.successor_among(
            self.system, orphans, self.record.old.pid, self._process_group, None
        )

    def found(self, new: Process) -> None:
        """Take a process for the new master."""
        self.new, self.re_exec = new, None
        self.record = self.record.but(new=MasterId(new.pid, new.start))

    def named(self, record: Record) -> None:
        """Take the new master that the host says it has started."""
        if record.new and self.record.phase is Phase.STARTING and self.record.new is None:
            self.new = self.system.hold(*record.new)
            self.record = self.record.but(new=record.new, sockets=record.sockets)

    @property
    def pause(self) -> float:
        """Seconds between two looks: some facts cause no wake-up."""
        if self.names.pause is not None:
            return self.names.pause
        return POLL_PAUSE if self.restoration else self.record.phase.traits.pause or LOOK_PAUSE

    @property
    def workers(self) -> NewWorkers | None:
        """The new master's workers, None until it is known."""
        if self._workers is None and self.new and self.server:
            self._workers = NewWorkers(self.system, self.new, self.server, self.usual_life)
        return self._workers

    def count_workers(self) -> None:
        """Poll the new master's workers, and report how many are ready."""
        if self.workers and self.new:
            self.workers.poll()
            self.logs.add(self.new)
            self.show(self.workers.ready, self.workers.total)

    @property
    def all_ready(self) -> bool:
        """True if every worker of the new master is ready."""
        if self.workers is None or not self.workers.all_ready(self.record.worker_count):
            return False
        return self.workers.quiet >= self._may_refuse_for

    @property
    def _may_refuse_for(self) -> float:
        """Seconds for which a spawned master with all its workers may find its pid file taken yet.

        The old one must not have been signalled by then. Where the path is known, it is free.
        """
        if not (self.server and self.new and self.record.method == "spawn"):
            return 0
        known = self.record.pid_file, self.options.pidfile or None
        if not self.server.promotes_itself or known != (None, None):
            return 0
        configured = self.server.configured(self.system, self.new.pid, self.next_launch)
        return self.server.promotes_itself if configured.pidfile is None else 0

    def note_new_master(self) -> None:
        """Note what the host, and the next handover, will ask about the new master."""
        if self.server and self.new:
            self.record = self.record.but(
                new_preloaded=self.server.preloads(self.system, self.new.pid),
                new_listening=listening_numbers(self.system, self.new),
                both_serve=why_both_serve(self.server, self.options, self.record),
            )

    def end_check(self) -> None:
        """Ask no more."""
        if self.check:
            self.check.close()
            self.check = None

    def close(self, cancelled: bool = False) -> None:
        """Give every descriptor back. What runs goes on running."""
        self.names.release(over=cancelled or self.record.phase.final)
        for held in (self.old, self.new, self._workers, self.trial):
            if held:
                held.close()
        self.end_check()
