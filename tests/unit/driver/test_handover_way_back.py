"""The way back out of a soak: the old workers first, then the new master goes."""

from __future__ import annotations

from signal import SIGABRT, SIGHUP, SIGTTIN, SIGTTOU

import pytest

from unicorn_handover.model.phases import Event, Phase
from unicorn_handover.model.record import Record

from ..fake_process import Fake
from ..fake_unicorn import TICKS_PAGE
from .history import History, serving, soaking


@pytest.mark.parametrize("lost", [False, True], ids=["same driver", "next driver"])
def test_rollback_brings_the_old_workers_back_first(lost: bool) -> None:
    """The old master gets its workers back, never too many, and then the new one quits."""
    history = History(soak=1000.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    assert history.handover and history.unicorn.workers(history.old) == []
    history.handover.command(Event.ROLLBACK)
    if lost:
        history.run(Phase.RESTORING)
        history.begin(history.lose_driver())
    record = history.run()
    assert record.phase is Phase.FAILED and record.reason == "rolled back by command"
    assert len(history.unicorn.workers(history.old)) == 2 and not history.new.alive
    assert history.signals == ["USR2 old", "WINCH old", "TTIN old", "TTIN old", "QUIT new"]


def test_rollback_while_booting() -> None:
    """Before the soak the old workers were never gone: the new master quits."""
    history = History()
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    record = history.run()
    assert record.reason == "rolled back by command" and history.signals == ["USR2 old", "QUIT new"]


def test_the_new_master_dies_in_the_soak() -> None:
    """The old master gets its workers back at once."""
    history = History(soak=1000.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    history.system.end(history.new)
    record = history.run(seconds=5)
    assert record.phase is Phase.FAILED and "ended in the soak" in record.reason
    assert history.signals == ["USR2 old", "WINCH old", "TTIN old", "TTIN old"]


def test_old_workers_that_do_not_come_back_leave_the_new_release_serving() -> None:
    """A way back that is not one ends in the new release, and with a reason."""
    history = History(soak=1000.0, boot_timeout=5.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    history.unicorn.fork_worker = lambda master, boots: None  # type: ignore[method-assign]
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    record = history.run()
    assert record.phase is Phase.DONE and not record.succeeded and history.new.alive
    stays = "the old workers did not come back, so the new master stays"
    assert record.reason == f"rolled back by command; {stays}"


def test_the_workers_of_a_new_master_that_is_killed_in_the_soak() -> None:
    """Some would serve on, with the release that failed: uvicorn's never look for their master."""
    history = History(soak=1000.0)
    history.run(Phase.SOAKING)
    worker = history.system.add(
        ppid=1,
        forked=True,
        words=["gunicorn: worker"],
        heartbeats={1: (5.0, 1)},
        catches={SIGABRT},
        pages={TICKS_PAGE: True},  # it is ready, by unicorn's proof as well
        pgrp=history.old.pgrp,
    )
    history.system.end(history.new)
    assert history.run().phase is Phase.FAILED
    assert ("TERM", worker.pid) in history.system.signals


def test_nothing_to_serve_in_the_soak_and_no_way_back() -> None:
    """If neither release has workers, the old master is not told to quit as well."""
    history = History(soak=1000.0, boot_timeout=5.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    history.unicorn.fork_worker = lambda master, boots: None  # type: ignore[method-assign]
    history.system.end(history.new)
    record = history.run()
    assert record.phase is Phase.FAILED and "QUIT old" not in history.signals
    assert record.reason.endswith(" ended in the soak; the old workers did not come back")


def roll_back_from(history: History) -> Record:
    """Let the operator roll a soak back; return what comes of it."""
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    return history.run()


@pytest.mark.parametrize("lost", [False, True], ids=["same driver", "next driver"])
@pytest.mark.parametrize("worker_count", [1, 2, 5])
def test_old_workers_that_still_answer_hold_up_nobody(worker_count: int, lost: bool) -> None:
    """Though they count for the master, others are started at once, and none is left over."""
    history = History(soak=1000.0)
    for _ in range(worker_count - 2):
        history.old.obey(SIGTTIN)
    if worker_count == 1:
        history.old.obey(SIGTTOU)
    history.unicorn.worker_count = worker_count
    history.system.advance_to(history.system.now + 1)
    history.unicorn.finishes = 20.0
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    assert history.handover and serving(history) == 0
    history.system.end(history.new)
    began, full = history.system.now, 0.0
    while not history.handover.finished:
        history.handover.step()
        if lost and history.system.now >= began + 0.3:
            lost = False
            history.begin(history.lose_driver())
        history.system.advance_to(history.system.now + 0.05)
        full = full or (history.system.now if serving(history) >= worker_count else 0.0)
        assert not full or serving(history) >= worker_count
    assert full - began < 2
    assert len(history.unicorn.workers(history.old)) == worker_count == serving(history)
    assert history.unicorn.wanted[history.old.pid] == worker_count


@pytest.mark.parametrize("lost", [None, Phase.RESTORING, Phase.REMOVING, Phase.SETTLING])
def test_a_bad_release_goes_before_the_old_workers_last_requests(lost: Phase | None) -> None:
    """It is removed when the old master has all its workers; the rest is settled after that."""
    history = History(soak=1000.0)
    history.unicorn.finishes = 20.0
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    if lost:
        history.run(lost)
        history.begin(history.lose_driver())
    history.run(Phase.SETTLING, seconds=10)
    assert not history.new.alive and serving(history) == 2
    assert len(history.unicorn.workers(history.old)) == 4
    record = history.run(seconds=60)
    assert record.phase is Phase.FAILED and record.reason == "rolled back by command"
    assert len(history.unicorn.workers(history.old)) == 2 == serving(history)
    assert history.unicorn.wanted[history.old.pid] == 2


def test_workers_that_somebody_brought_back_in_the_soak_count() -> None:
    """After HUP the old master has all its workers already: nothing is added, nothing dropped."""
    history = soaking()
    history.old.obey(SIGHUP)
    history.system.advance_to(history.system.now + 1)
    before = history.system.now
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and record.ended - before < 1 and not history.new.alive
    assert history.signals == ["USR2 old", "WINCH old", "QUIT new"]
    assert len(history.unicorn.workers(history.old)) == 2


@pytest.mark.parametrize("number", [1, 4])
def test_workers_that_somebody_added_in_the_soak(number: int) -> None:
    """One more by hand, or too many, and the way back still ends at the old worker_count, soon."""
    history = soaking()
    for _ in range(number):
        history.old.obey(SIGTTIN)
    history.system.advance_to(history.system.now + 1)
    before = history.system.now
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and record.ended - before < 4
    assert serving(history) == 2 == history.unicorn.wanted[history.old.pid]


def test_some_old_workers_are_better_than_a_bad_release() -> None:
    """If not all are back in time, those that are take over."""
    history = soaking(boot_timeout=5.0)
    start, started = history.unicorn.fork_worker, []

    def only_one(master: Fake, boots: float | None) -> None:
        if not started:
            started.append(start(master, boots))

    history.unicorn.fork_worker = only_one  # type: ignore[method-assign]
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and history.old.alive and not history.new.alive


def test_what_is_told_while_workers_are_brought_back() -> None:
    """The numbers are those of the old workers; what follows counts the new ones again."""
    history = soaking()
    roll_back_from(history)
    told = [(r.ready, r.total) for r in history.reports if r.phase is Phase.RESTORING]
    assert (0, 2) in told
    removing = next(r for r in history.reports if r.phase is Phase.REMOVING)
    assert (removing.ready, removing.total) == (2, 2)


def test_an_old_master_that_had_no_workers() -> None:
    """Where there is nothing to bring back, the new master is removed at once."""
    history = History(soak=1000.0)
    for _ in range(2):
        history.old.obey(SIGTTOU)
    history.system.advance_to(history.system.now + 1)
    history.run(Phase.SOAKING)
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and not history.new.alive and history.old.alive
    assert history.signals == ["USR2 old", "QUIT new"]
