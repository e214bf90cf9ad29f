"""What entering each phase does. Doing it a second time does no harm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..family import members
from ..family.killing import end_deserted, kill_booting, kill_with_workers, signal_all
from ..kernel.process import Process
from ..model.phases import Phase
from .re_exec import ReExec
from .restore import Restoration
from .shared_names import at_stake
from .situation import Situation

if TYPE_CHECKING:
    from .attribution import WorkerPids


def act(situation: Situation) -> None:
    """Do what entering the record's phase requires."""
    if situation.record.phase is not Phase.BOOTING:
        situation.names.let_new_go_on()
    enter = _ACTS.get(situation.record.phase)
    if enter:
        enter(situation)


def _re_exec(situation: Situation) -> None:
    if situation.old is None or situation.server is None:
        return
    # The driver before this one may have sent USR2 already.
    situation.new = situation.find_new()
    if situation.new is None:
        situation.re_exec = ReExec(
            situation.system,
            situation.old,
            situation.server,
            situation.record.signalled,
            situation.resumed,
        )


def _boot(situation: Situation) -> None:
    # Before anything is observed: a driver that was killed may have left the new master stopped.
    situation.names.mind_first_worker(situation.new, situation.record, situation.server)


def _soak(situation: Situation) -> None:
    if situation.workers:
        situation.workers.forgive()
    if situation.options.check:
        from .check import Check  # here, for a driver without a check needs no HTTP client
        from .request import Request

        situation.check = Check(Request(situation.options), partial(_pids_of_both, situation))
    _quiesce(situation)


def _quiesce(situation: Situation) -> None:
    old, server = situation.old, situation.server
    if not (old and server and server.quiesce) or situation.record.both_serve:
        return
    situation.record = situation.record.but(quiesced=situation.record.since)
    workers = members.workers(situation.system, old, server).all
    # Where a driver before this one has sent the signal already, whoever has brought workers back
    # since then wants them.
    began = situation.system.ticks(situation.record.quiesced)
    if workers and not (situation.resumed and any(start >= began for _, start in workers)):
        old.signal(server.quiesce)


def _pids_of_both(situation: Situation) -> WorkerPids:
    from .attribution import WorkerPids

    return WorkerPids(
        _worker_pids(situation, situation.new), _worker_pids(situation, situation.old)
    )


def _worker_pids(situation: Situation, master: Process | None) -> frozenset[int]:
    if master is None or situation.server is None:
        return frozenset()
    found = members.workers(situation.system, master, situation.server)
    return frozenset(pid for pid, _ in found.all)


def _restore(situation: Situation) -> None:
    """Begin to bring old workers back, or continue what an earlier driver began."""
    situation.end_check()
    old, server, record = situation.old, situation.server, situation.record
    if old and server and server.quiesce and record.quiesced:
        situation.restoration = situation.restoration or Restoration(
            situation.system, old, server, record.worker_count, record.quiesced
        )


def _remove(situation: Situation) -> None:
    _restore(situation)
    _quit(situation, situation.new, situation.old)


def _kill_new(situation: Situation) -> None:
    _restore(situation)
    if situation.new:
        kill_with_workers(situation.system, situation.new)


def _drain(situation: Situation) -> None:
    situation.end_check()
    situation.restoration = None
    old, server = situation.old, situation.server
    if old and server:
        configured = server.configured(situation.system, old.pid, situation.launch)
        situation.drain_limit = configured.drain_limit
    _quit(situation, old, situation.new)


def _quit(situation: Situation, master: Process | None, other: Process | None) -> None:
    """Send a master its graceful signal, and keep the sockets' names for the other master."""
    server = situation.server
    if not (master and server):
        return
    if other and other.alive() and at_stake(situation.record, server):
        situation.names.end(master, other, server, situation.launch)
    else:
        master.signal(server.graceful)


def _force(situation: Situation) -> None:
    """Send the old master and its workers the quick signal, which cuts their requests.

    A unicorn that waits for its workers takes no other signal (HttpServer#stop).
    """
    old, server = situation.old, situation.server
    if old and server:
        old.signal(server.quick)
        signal_all(members.forked_by(situation.system, old.pid), server.quick)


def _kill_old(situation: Situation) -> None:
    if situation.old:
        kill_with_workers(situation.system, situation.old)


def _sweep(situation: Situation) -> None:
    """After a failure: end the new workers whose master died.

    Those that could not serve yet would load the app to the end, or hang in it for ever, before
    they checked for their master. Some that serve, nginx's and uvicorn's, never check.
    """
    _end(situation)
    record, new, old = situation.record, situation.record.new, situation.old
    if new and old and situation.server and (situation.new is None or not situation.new.alive()):
        spawned = record.method == "spawn"  # and so the leader of a group of its own
        group = new.pid if spawned else members.process_group(situation.system, old)
        left = members.booting_orphans(situation.system, old, group, new.start, situation.server)
        kill_booting(situation.system, left, situation.server)
        if spawned or old.alive():  # which proves the number of its group
            end_deserted(situation.system, group, new.start)


def _end(situation: Situation) -> None:
    situation.end_check()
    situation.names.mind(situation.record, situation.server)
    situation.names.release(over=True)


_ACTS: dict[Phase, Callable[[Situation], None]] = {
    Phase.RE_EXECUTING: _re_exec,
    Phase.BOOTING: _boot,
    Phase.ALONE: Situation.end_check,
    Phase.SOAKING: _soak,
    Phase.RESTORING: _restore,
    Phase.REMOVING: _remove,
    Phase.KILLING_NEW: _kill_new,
    Phase.SETTLING: _restore,
    Phase.DRAINING: _drain,
    Phase.FORCING: _force,
    Phase.KILLING_OLD: _kill_old,
    Phase.DONE: _end,
    Phase.FAILED: _sweep,
}
