"""A driver that is lost: the next one goes on with what the host knows."""

from __future__ import annotations

from signal import SIGHUP

import pytest

from unicorn_handover.model.phases import Phase

from .history import History, obeys_late, serving, soaking

PHASES = [Phase.CHECKING, Phase.RE_EXECUTING, Phase.BOOTING, Phase.SOAKING, Phase.DRAINING]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.value)
@pytest.mark.parametrize("away", [0.02, 2.0])
def test_the_next_driver_goes_on(phase: Phase, away: float) -> None:
    """In whatever phase a driver is lost, the next one ends the handover, with one new master."""
    history = History(soak=3.0)
    title = history.old.words
    if phase is Phase.CHECKING:  # which lasts while it starts
        history.old.words = ["ruby", "/usr/bin/unicorn"]
    obeys_late(history, 0.01)  # the child of its re-exec is younger than USR2, and has yet to exec
    history.run(phase)
    record = history.lose_driver()
    assert record.phase is phase
    history.old.words = title
    history.system.advance_to(history.system.now + away)
    history.begin(record)
    assert history.run().succeeded
    assert history.signals.count("USR2 old") == 1 and "QUIT new" not in history.signals
    assert len(history.unicorn.masters) == 2
    assert not history.old.alive and history.new.alive


def test_the_next_driver_finds_a_stranger_with_the_old_number() -> None:
    """A process that has the old master's number but not its start time gets no signal."""
    history = History()
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    record = history.lose_driver()
    history.old.start += 1
    history.new.start += 1
    history.begin(record)
    sent = len(history.system.signals)
    assert history.run().phase is Phase.FAILED
    assert len(history.system.signals) == sent


def test_the_next_driver_leaves_workers_that_were_brought_back() -> None:
    """It takes up the soak without telling them to end."""
    history = soaking()
    history.old.obey(SIGHUP)
    history.system.advance_to(history.system.now + 1)
    history.begin(history.lose_driver())
    assert history.signals == ["USR2 old", "WINCH old"] and serving(history) == 2
