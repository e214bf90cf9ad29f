"""Observes the present facts and returns them as events of the state machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ..errors import Refused
from ..family import members
from ..family.served import listening_numbers
from ..kernel.process import Process
from ..model.deadlines import counted_from, soaked
from ..model.phases import Event, Phase, matters
from ..servers import Server
from . import preflight
from .situation import Situation
from .taking_over import has_taken_over
from .trial import Trial


def next_event(situation: Situation) -> Event | None:
    """Return the first fact that ends the phase, or None.

    A fact is observed only if none before it ends the phase.
    """
    phase = situation.record.phase
    for observe in (_ends, _new_end, _command, _OBSERVERS.get(phase), _time):
        for event in observe(situation) if observe else ():
            if matters(phase, event):
                return event
    return None


def _ends(situation: Situation) -> Iterator[Event]:
    # Before the search: the new master may come, and end the old one, while that lists children.
    old_gone = situation.old_gone
    if situation.record.phase is Phase.RE_EXECUTING:  # an app may end the old master at once
        yield from _search(situation)
    if situation.record.phase is Phase.STARTING and situation.new:
        yield Event.NEW_FOUND
    situation.names.mind(situation.record, situation.server)
    if old_gone and situation.new_gone:
        yield Event.BOTH_GONE
    if old_gone:
        _judge_drain(situation)
        if not situation.new_gone and has_taken_over(situation):
            yield Event.TAKEN_OVER
        yield Event.OLD_GONE


def _judge_drain(situation: Situation) -> None:
    """Warn if the old master ended at its own time limit: it has cut unanswered requests."""
    record, limit = situation.record, situation.drain_limit
    took = situation.looked - counted_from(record)
    if record.phase is Phase.DRAINING and limit is not None and took >= limit:
        situation.record = record.but(
            warning=f"the old master ended at its own graceful_timeout, {limit:g} s, so requests "
            "that took longer were cut; raise it, and drain_timeout above it"
        )


def _new_end(situation: Situation) -> Iterator[Event]:
    restoration = situation.restoration
    if restoration:
        restoration.step()
    if situation.new_gone:
        if restoration and not restoration.complete:
            yield Event.UNSETTLED
        yield Event.NEW_GONE


def _command(situation: Situation) -> Iterator[Event]:
    command = situation.command
    if command and matters(situation.record.phase, command):
        situation.command = None
        yield command


def _time(situation: Situation) -> Iterator[Event]:
    if situation.is_late:
        yield Event.TIMEOUT


def _preflight(situation: Situation) -> Iterator[Event]:
    system, old = situation.system, situation.old
    if old is None or not preflight.shows_itself(system, old):
        return
    try:
        server = preflight.identify(system, old, situation.options)
        situation.server = server
        if preflight.is_starting(system, old, server):
            return
        pidfile = situation.options.pidfile
        checks = preflight.Preflight(system, old, server, situation.launch, pidfile)
        method, why = checks.method(situation.record)
        if not _is_tried(situation, old, server):
            return
        if situation.trial and situation.trial.pid_file and not pidfile:
            replace(checks, pidfile=situation.trial.pid_file).check_pid_files(method)
        workers = members.workers(system, old, server)
        listening = listening_numbers(system, old) if method == "spawn" else ()
    except (Refused, PermissionError) as refusal:
        situation.refusal = str(refusal)
        # A dead master does not show any more what it is, nor does one that is about to be.
        if situation.old_gone:
            yield Event.OLD_GONE
        elif preflight.shows_itself(system, old):
            yield Event.REFUSED
        return
    situation.usual_life = members.usual_life(system, old, workers)
    situation.record = situation.record.but(
        server=server.name,
        worker_count=len(workers.all),
        method=method,
        why=why,
        listening=listening,
        pid_file=situation.trial.pid_file if situation.trial else None,
        preloaded=situation.record.preloaded or server.preloads(system, old.pid),
    )
    yield Event.TO_SPAWN if method == "spawn" else Event.PASSED


def _is_tried(situation: Situation, old: Process, server: Server) -> bool:
    """True once the server itself finds nothing wrong. Raises Refused if it does."""
    if situation.trial is None:
        patience = situation.options.boot_timeout / 2  # the phase has that twice
        launch = situation.next_launch
        situation.trial = Trial(situation.system, old, server, launch, patience)
    return situation.trial.passed()


def _search(situation: Situation) -> Iterator[Event]:
    new = situation.new or situation.find_new()
    if new:
        situation.found(new)
        yield Event.NEW_FOUND
    elif situation.re_exec and not situation.old_gone and situation.re_exec.failed():
        situation.re_exec = None
        yield Event.RE_EXEC_FAILED
    elif situation.re_exec and not situation.old_gone and situation.re_exec.refused():
        yield Event.RE_EXEC_REFUSED  # and what comes all the same is removed


def _boot(situation: Situation) -> Iterator[Event]:
    if situation.record.phase is Phase.BOOTING:
        situation.names.mind_first_worker(situation.new, situation.record, situation.server)
    situation.count_workers()
    if situation.workers and situation.workers.crash_looping:
        yield Event.DYING
    if situation.all_ready:
        options = situation.options
        situation.note_new_master()
        yield Event.READY if options.soak or options.check else Event.PROVEN


def _soak(situation: Situation) -> Iterator[Event]:
    situation.count_workers()
    if situation.workers and situation.workers.crash_looping:
        yield Event.DYING
    check, now = situation.check, situation.looked
    is_soaked = now >= soaked(situation.record, situation.options) and situation.all_ready
    if check:
        check.step(now)
        if check.note != situation.record.answer:
            situation.report(answer=check.note)
        if check.failed:
            yield Event.CHECK_FAILED
    if is_soaked and (check is None or check.passed):
        yield Event.PROVEN


def _restore(situation: Situation) -> Iterator[Event]:
    if situation.restoration is None:  # it never stopped serving
        yield Event.OLD_READY
        return
    ready, worker_count = situation.restoration.ready(), situation.record.worker_count
    if ready < worker_count and not situation.is_late:
        situation.show(ready, worker_count)
        return
    situation.count_workers()  # what follows is about the new workers
    if ready or not worker_count:
        yield Event.OLD_READY
    elif situation.new is None or not situation.new.alive():
        yield Event.WORKERS_LOST


def _settle(situation: Situation) -> Iterator[Event]:
    if situation.restoration is None or situation.restoration.complete:
        yield Event.SETTLED


_OBSERVERS: dict[Phase, Callable[[Situation], Iterator[Event]]] = {
    Phase.CHECKING: _preflight,
    Phase.BOOTING: _boot,
    Phase.ALONE: _boot,
    Phase.SOAKING: _soak,
    Phase.RESTORING: _restore,
    Phase.SETTLING: _settle,
}
