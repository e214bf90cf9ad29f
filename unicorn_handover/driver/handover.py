"""One handover: observes the masters, moves through the states, sends the signals."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

from ..errors import Refused
from ..family import members
from ..family.members import Workers
from ..kernel.process import Process
from ..kernel.system import System
from ..model.deadlines import deadline
from ..model.options import Options
from ..model.phases import TABLE, Event, Phase, matters
from ..model.record import MasterId, Record
from ..servers import SERVERS, Server
from . import preflight
from .attribution import Rivals
from .check import Check
from .re_exec import ReExec
from .restore import Restoration

SEARCH_PAUSE = 0.01  # seconds between looks for the new master
BOOT_PAUSE = 0.05  # seconds between looks at workers: masks change without waking anyone
DYING_WORKERS = 3  # so many dead young, or before they were ready, is a crash loop, not bad luck
YOUNG = 5.0  # seconds of a worker's life in which it should not end
FORK_PAUSE = 0.3  # seconds: gunicorn's Arbiter.spawn_workers pauses for up to 0.1 after each fork
SETTLED = 2.0  # seconds without a new worker, where a master does not show that it forked all


class Handover:
    """Drives one record to its end. `step` never blocks and may be called at any time.

    `report` is given every new record before it is acted upon.
    """

    def __init__(
        self, system: System, options: Options, record: Record, report: Callable[[Record], None]
    ) -> None:
        self._system = system
        self.options = options
        self._report = report
        self._server: Server | None = SERVERS.get(record.server)
        self._old = system.hold(*record.old)
        self._process_group = members.process_group(system, self._old)
        self._new = system.hold(*record.new) if record.new else None
        self._gone: set[Process] = set()  # seen to be; their pidfds stay readable
        self._refusal = ""
        self._wish: Event | None = None
        self._check: Check | None = None
        self._restoration: Restoration | None = None
        self._re_exec: ReExec | None = None  # until the old master has shown what came of USR2
        self._seen: dict[tuple[int, int], Process] = {}
        self._first_seen: dict[tuple[int, int], float] = {}
        self._workers = Workers(frozenset(), frozenset())
        self._workers_changed = system.clock()
        self._was_ready: set[tuple[int, int]] = set()
        self._deaths = 0
        self._unreplaced = 0  # young ones that were ready and ended, and no other came for them
        self.record = record
        self._begun = False

    @property
    def finished(self) -> bool:
        """True once the record has reached its end."""
        return self.record.phase.final

    @property
    def new_may_come(self) -> bool:
        """True if USR2 was sent, and the old master may still obey it."""
        return self._re_exec is not None and not self._is_gone(self._old)

    def close(self) -> None:
        """Give every descriptor back. Sends nothing: what runs goes on running."""
        for process in (self._old, self._new, *self._seen.values()):
            if process:
                process.close()
        self._seen.clear()
        self._stop_check()

    def wish(self, event: Event) -> None:
        """Take the operator's ROLLBACK or PROMOTE; it is kept until a phase that it can end."""
        self._wish = event

    def give_up(self, why: str) -> bool:
        """Take the way back because of an error of our own; False if there is none from here."""
        if not matters(self.record.phase, Event.ROLLBACK):
            return False
        self.record = self.record.but(reason=self.record.reason or why)
        self._wish = Event.ROLLBACK
        return True

    def descriptors(self) -> Iterator[int]:
        """The pidfds whose exits this handover waits for."""
        # Not those that are alive: one that died since the last `step` would wake nobody then.
        for process in (self._old, self._new):
            if process and process not in self._gone:
                yield process.fileno()

    def wake_at(self) -> float:
        """When `step` is to be called although no descriptor became readable, on the clock."""
        now = self._system.clock()
        pauses = {
            Phase.CHECKING: BOOT_PAUSE,
            Phase.RE_EXECUTING: SEARCH_PAUSE,
            Phase.BOOTING: BOOT_PAUSE,
            Phase.ALONE: BOOT_PAUSE,
            Phase.SOAKING: 4 * BOOT_PAUSE,
        }
        pause = BOOT_PAUSE if self._restoration else pauses.get(self.record.phase)
        deadline = self._deadline()
        return deadline if pause is None else min(now + pause, deadline)

    def step(self) -> None:
        """Move on as far as the facts of this moment allow."""
        if not self._begun:
            self._begun = True
            self._begin()
        while not self.finished:
            event = next((e for e in self._events() if matters(self.record.phase, e)), None)
            if event is None:
                return
            move = TABLE[self.record.phase][event]
            self._enter(move.phase, self._in_full(event, move.reason))

    def _begin(self) -> None:
        """Begin, or enter the phase once more in which another driver left it."""
        if self.record.phase in (Phase.REQUESTED, Phase.QUEUED):
            self._enter(Phase.CHECKING)
        else:
            self._act()

    # -- what is so ------------------------------------------------------------------------------

    def _events(self) -> Iterator[Event]:
        if self.record.phase is Phase.RE_EXECUTING:  # an app may end the old master at once
            yield from self._search()
        old_gone = self._is_gone(self._old)
        new_gone = self.record.new is not None and self._is_gone(self._new)
        if old_gone and new_gone:
            yield Event.BOTH_GONE
        if old_gone:
            yield Event.OLD_GONE
        if self._restoration:
            self._restoration.step()
        if new_gone:
            if self._restoration and not self._restoration.complete:
                yield Event.UNSETTLED
            yield Event.NEW_GONE
        if self._wish and matters(self.record.phase, self._wish):
            wish, self._wish = self._wish, None
            yield wish
        look = _LOOKS.get(self.record.phase)
        if look:
            yield from look(self)
        if self._system.clock() >= self._deadline():
            yield Event.TIMEOUT

    def _is_gone(self, process: Process | None) -> bool:
        if process and not process.alive():
            self._gone.add(process)
        return process is None or process in self._gone

    def _preflight(self) -> Iterator[Event]:
        assert self._old is not None
        if not preflight.has_execed(self._system, self._old):
            return
        try:
            self._server = preflight.identify(self._system, self._old, self.options)
            if preflight.is_starting(self._system, self._old, self._server):
                return
            preflight.check(self._system, self._old, self._server)
            strength = len(members.workers(self._system, self._old, self._server).all)
        except (Refused, PermissionError) as refusal:
            self._refusal = str(refusal)
            yield Event.REFUSED
            return
        self.record = self.record.but(server=self._server.name, strength=strength)
        yield Event.PASSED

    def _search(self) -> Iterator[Event]:
        self._new = self._new or self._find_new()
        if self._new:
            self._re_exec = None
            self.record = self.record.but(new=MasterId(self._new.pid, self._new.start))
            yield Event.NEW_FOUND
        elif self._re_exec and not self._is_gone(self._old) and self._re_exec.failed():
            self._re_exec = None
            yield Event.RE_EXEC_FAILED

    def _find_new(self) -> Process | None:
        assert self._server is not None
        if self._old and not self._is_gone(self._old):
            return members.successor(self._system, self._old, self._server)
        orphans = self._system.children(self._system.parent())
        group = self._process_group
        return members.successor_among(self._system, orphans, self.record.old.pid, group, None)

    def _boot(self) -> Iterator[Event]:
        self._count()
        if self._deaths >= DYING_WORKERS:
            yield Event.DYING
        if self._all_ready():
            yield Event.READY if self.options.soak or self.options.check else Event.PROVEN

    def _soak(self) -> Iterator[Event]:
        self._count()
        if self._deaths >= DYING_WORKERS:
            yield Event.DYING
        late = self._system.clock() >= self.record.since + self.options.soak
        soaked = late and self._all_ready()
        if self._check is None:
            if soaked:
                yield Event.PROVEN
            return
        self._check.step(self._system.clock())
        if self._check.failed:
            yield Event.CHECK_FAILED
        elif soaked and self._check.passed:
            yield Event.PROVEN

    def _restore(self) -> Iterator[Event]:
        if self._restoration is None:  # it never stopped serving
            yield Event.OLD_READY
            return
        ready, late = self._restoration.ready(), self._system.clock() >= self._deadline()
        if ready < self.record.strength and not late:
            self._show(ready, self.record.strength)
            return
        self._count()  # what follows is about the new workers
        if ready or not self.record.strength:
            yield Event.OLD_READY
        elif self._new is None or not self._new.alive():
            yield Event.STRANDED

    def _settle(self) -> Iterator[Event]:
        if self._restoration is None or self._restoration.complete:
            yield Event.SETTLED

    def _count(self) -> None:
        """Look at the new master's workers: who is ready, and who died before."""
        assert self._server is not None
        if self._new is None:
            return
        found = members.workers(self._system, self._new, self._server)
        born = found.all - self._workers.all
        for pid, start in born:
            held = self._system.hold(pid, start)
            if held:
                self._seen[pid, start] = held
                self._first_seen[pid, start] = self._system.clock()
        self._was_ready |= found.ready
        now = self._system.clock()
        for worker in [w for w, held in self._seen.items() if not held.alive()]:
            self._seen.pop(worker).close()
            young = now < self._first_seen.pop(worker) + YOUNG
            self._deaths += worker not in self._was_ready
            self._unreplaced += young and worker in self._was_ready
        # A crash is followed by another worker. One that was ready and is not replaced was dropped.
        replaced = min(self._unreplaced, len(born))
        self._deaths += replaced
        self._unreplaced -= replaced
        if found.all != self._workers.all:
            self._workers_changed = self._system.clock()
        self._workers = found
        self._show(len(found.ready), len(found.all))

    def _show(self, ready: int, total: int) -> None:
        if (ready, total) != (self.record.ready, self.record.total):
            self.record = self.record.but(ready=ready, total=total)
            self._report(self.record)

    def _all_ready(self) -> bool:
        assert self._server is not None and self._new is not None
        if self._workers.booting or not self._workers.ready:
            return False
        all_forked = self._server.all_forked(self._system, self._new.pid)
        if all_forked is None:
            full = len(self._workers.ready) >= max(1, self.record.strength)
            quiet = self._system.clock() - self._workers_changed
            return quiet >= (FORK_PAUSE if full else SETTLED)
        return all_forked

    def _deadline(self) -> float:
        return deadline(self.record, self.options)

    def _in_full(self, event: Event, reason: str) -> str:
        """The reason with the pids, times and causes an operator needs."""
        if not reason:
            return ""
        if event is Event.REFUSED:
            return self._refusal
        if event is Event.CHECK_FAILED and self._check:
            return f"{reason}: {self._check.failure}"
        if event is Event.TIMEOUT and self._check and self._all_ready():
            return f"the check had no good answer: {self._check.failure or 'it was too slow'}"
        if event is Event.TIMEOUT and self.record.phase is not Phase.RESTORING:
            timed = f"{reason} (boot_timeout = {self.options.boot_timeout:g} s"
            return f"{timed}; {self.record.ready} of {self.record.total} ready)"
        if event in (Event.NEW_GONE, Event.BOTH_GONE) and self.record.new:
            return reason.replace("new master", f"new master (pid {self.record.new.pid})")
        return reason

    # -- what is done ----------------------------------------------------------------------------

    def _enter(self, phase: Phase, reason: str = "") -> None:
        now = self._system.clock()
        signalled = now if phase is Phase.RE_EXECUTING else self.record.signalled
        self.record = self.record.but(
            phase=phase,
            since=now,
            signalled=signalled,
            reason=self.record.reason or reason,
            ended=now if phase.final else 0.0,
        )
        self._report(self.record)  # before acting: see `record`
        self._act()

    def _act(self) -> None:
        """Do what entering the phase means; doing it a second time does no harm."""
        act = _ACTS.get(self.record.phase)
        if act:
            act(self)

    def _begin_re_exec(self) -> None:
        if self._old is None or self._server is None:
            return
        # A driver that takes over must not send USR2 to a master that already has a successor.
        self._new = self._find_new()
        if self._new is None:
            self._re_exec = ReExec(self._system, self._old, self._server)

    def _quiesce(self) -> None:
        self._deaths = 0  # bad luck at boot is forgiven
        if self.options.check:
            self._check = Check(self.options.check, self._rivals)
        if self._old and self._server and self._server.quiesce:
            self.record = self.record.but(quiesced=self.record.since)
            # A driver that takes over may find them gone already, and those that somebody has
            # brought back meanwhile are meant to stay.
            before = self._system.ticks(self.record.quiesced)
            found = members.workers(self._system, self._old, self._server)
            if found.all and all(start < before for _, start in found.all):
                self._old.signal(self._server.quiesce)

    def _rivals(self) -> Rivals:
        return Rivals(self._worker_pids(self._new), self._worker_pids(self._old))

    def _worker_pids(self, master: Process | None) -> frozenset[int]:
        if master is None or self._server is None:
            return frozenset()
        found = members.workers(self._system, master, self._server)
        return frozenset(pid for pid, _ in found.all)

    def _bring_back(self) -> None:
        """Begin to bring old workers back, or go on with it in another driver's place."""
        self._stop_check()
        if self._old and self._server and self._server.quiesce and self.record.quiesced:
            strength, quiesced = self.record.strength, self.record.quiesced
            self._restoration = self._restoration or Restoration(
                self._system, self._old, self._server, strength, quiesced
            )

    def _remove(self) -> None:
        self._bring_back()
        if self._new and self._server:
            self._new.signal(self._server.graceful)

    def _drain(self) -> None:
        self._stop_check()
        self._restoration = None
        if self._old and self._server:
            self._old.signal(self._server.graceful)

    def _force(self) -> None:
        if self._old and self._server:
            self._old.signal(self._server.quick)

    def _kill_new(self) -> None:
        self._bring_back()
        self._kill(self._new)

    def _kill_old(self) -> None:
        self._kill(self._old)

    def _kill(self, master: Process | None) -> None:
        """Kill a master and its workers, which would outlive it if they are stuck."""
        if master is None or self._server is None:
            return
        master.signal(signal.SIGSTOP)  # so that it forks no more while its workers are listed
        try:
            found = members.workers(self._system, master, self._server).all
            held = [self._system.hold(*worker) for worker in found]
        finally:
            master.signal(signal.SIGKILL)
        for worker in held:
            if worker:
                worker.signal(signal.SIGKILL)
                worker.close()

    def _sweep(self) -> None:
        """After a failure: end the new workers whose master died before they could serve.

        They would load the app to the end, or hang in it for ever, before they looked for it.
        """
        self._stop_check()
        new = self.record.new
        if new and self._old and self._server and (self._new is None or not self._new.alive()):
            for worker in members.booting_orphans(self._system, self._old, new.start, self._server):
                worker.signal(signal.SIGKILL)
                worker.close()

    def _stop_check(self) -> None:
        if self._check:
            self._check.close()
            self._check = None


_LOOKS: dict[Phase, Callable[[Handover], Iterator[Event]]] = {
    Phase.CHECKING: Handover._preflight,
    Phase.BOOTING: Handover._boot,
    Phase.ALONE: Handover._boot,
    Phase.SOAKING: Handover._soak,
    Phase.RESTORING: Handover._restore,
    Phase.SETTLING: Handover._settle,
}

_ACTS: dict[Phase, Callable[[Handover], None]] = {
    Phase.RE_EXECUTING: Handover._begin_re_exec,
    Phase.ALONE: Handover._stop_check,
    Phase.SOAKING: Handover._quiesce,
    Phase.RESTORING: Handover._bring_back,
    Phase.REMOVING: Handover._remove,
    Phase.KILLING_NEW: Handover._kill_new,
    Phase.SETTLING: Handover._bring_back,
    Phase.DRAINING: Handover._drain,
    Phase.FORCING: Handover._force,
    Phase.KILLING_OLD: Handover._kill_old,
    Phase.FAILED: Handover._sweep,
}
