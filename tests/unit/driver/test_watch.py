"""A driver that did not run for a while: what it missed counts for no deadline."""

from __future__ import annotations

from typing import Any

import pytest

from unicorn_handover.driver.watch import Watch
from unicorn_handover.model.phases import Phase

from .history import History, obeys_late, soaking

STOPPED = 100.0  # seconds, longer than each deadline here


def freeze(history: History, whole: bool = True) -> None:
    """Stop the driver and, if that is the `whole` cgroup, its masters for some time."""
    if whole:  # what was about to happen happens as much later
        plan = history.system._plan
        plan[:] = [(at + STOPPED, *what) for at, *what in plan]  # type: ignore[misc]
    history.system.advance_to(history.system.now + STOPPED)


@pytest.mark.parametrize("whole", [False, True])
def test_a_release_that_boots_meanwhile(whole: bool) -> None:
    """It is good, whether it had its time in the stop or has it now."""
    history = History(boot_timeout=5.0)
    history.unicorn.boots = 2.0
    history.run(Phase.BOOTING)
    freeze(history, whole)
    assert history.run().succeeded


@pytest.mark.parametrize("whole", [False, True])
def test_a_re_exec_meanwhile(whole: bool) -> None:
    """The new master is found, and had no five seconds in which the old one slept."""
    history = History(boot_timeout=8.0)
    obeys_late(history, 0.2)
    history.run(Phase.RE_EXECUTING)
    freeze(history, whole)
    assert history.run().succeeded


def test_a_release_that_hangs() -> None:
    """It has the rest of its time, and no more."""
    history = History(boot_timeout=5.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    freeze(history)
    before = history.system.now
    assert history.run().phase is Phase.FAILED
    assert "not ready in time" in history.reports[-1].reason
    assert history.system.now - before < 10


def test_requests_that_are_frozen_as_well_are_not_cut() -> None:
    """The old master has its drain_timeout while it runs; the limit of its own was not reached."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains = 4.0
    history.run(Phase.DRAINING)
    freeze(history)
    record = history.run()
    assert record.succeeded and not record.warning
    assert history.signals == ["USR2 old", "QUIT old"]


def test_a_soak_is_as_long_as_it_was_watched() -> None:
    """A release that nobody watched has not stood its soak."""
    history = soaking()
    freeze(history)
    record = history.run(Phase.DRAINING, seconds=2000)
    assert record.phase is Phase.DRAINING and record.since - record.began > 1000 + STOPPED - 3
    assert record.unwatched == 0


def test_the_old_workers_have_their_time_to_come_back() -> None:
    """A sick release is not kept because all stood still."""
    history = soaking(boot_timeout=5.0)
    history.system.end(history.new)
    history.run(Phase.RESTORING)
    freeze(history)
    record = history.run()
    assert record.phase is Phase.FAILED and history.old.alive
    assert "did not come back" not in record.reason


def test_what_looks_late_always_is_judged_all_the_same() -> None:
    """On a machine that is this slow a look is not late because the driver stood still."""
    history = History(boot_timeout=5.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    assert history.handover
    for _ in range(20):
        history.system.advance_to(history.system.now + 3)
        history.handover.step()
    assert history.reports[-1].reason.startswith("the new workers were not ready in time")


def test_a_stop_in_the_middle_of_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen before it is no fact any more when the deadline has passed."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains = 4.0
    history.run(Phase.DRAINING)
    assert history.handover
    situation = history.handover._situation
    mind = situation.names.mind

    def stopped(*arguments: Any) -> None:
        monkeypatch.undo()
        freeze(history)
        mind(*arguments)

    monkeypatch.setattr(situation.names, "mind", stopped)
    assert history.run().succeeded and history.signals == ["USR2 old", "QUIT old"]


def test_a_stop_in_a_look_that_ends_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was before the next phase, which has its own time and no more."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains = None
    history.run(Phase.BOOTING)
    assert history.handover
    situation = history.handover._situation

    def stopped() -> None:
        monkeypatch.undo()
        freeze(history)

    monkeypatch.setattr(situation, "note_new_master", stopped)
    history.run(Phase.DRAINING)
    began = history.system.now
    history.run(Phase.FORCING)
    assert 5 <= history.system.now - began < 8


def test_a_stop_in_a_look_is_no_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has seen how the release did meanwhile."""
    history = soaking()
    assert history.handover
    situation = history.handover._situation

    def stopped() -> None:
        monkeypatch.undo()
        history.system.advance_to(history.system.now + 1500)

    monkeypatch.setattr(situation, "count_workers", stopped)
    record = history.run(Phase.DRAINING, seconds=5000)
    assert record.since - record.began > 1000 + 1500 - 3


def test_nobody_has_seen_the_quiet_of_a_stop() -> None:
    """A frozen gunicorn forks no worker either; it is not proven by that to have forked all."""
    history = soaking()
    assert history.handover
    situation = history.handover._situation
    assert situation.workers and situation.workers.quiet > 0
    freeze(history)
    Watch(situation).look()
    assert situation.workers.quiet == 0


class Asked:
    """A check whose question is under way."""

    closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_a_question_that_waited_is_no_bad_answer() -> None:
    """The check asks again; but not each time, if each look is late."""
    history = soaking()
    assert history.handover
    situation, check = history.handover._situation, Asked()
    situation.check = check  # type: ignore[assignment]
    watch = Watch(situation)
    for seconds, closed in ((0.5, 0), (STOPPED, 1), (3, 1), (0.5, 1), (3, 2)):
        history.system.advance_to(history.system.now + seconds)
        watch.look()
        assert check.closed == closed
