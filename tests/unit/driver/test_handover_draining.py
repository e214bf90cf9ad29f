"""The old master's last requests, and what follows if they last for too long."""

from __future__ import annotations

from unicorn_handover.model.options import Options
from unicorn_handover.model.phases import Phase

from .history import History


def test_an_old_master_that_does_not_drain_is_told_harder() -> None:
    """After drain_timeout it is told to cut its requests."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains = None
    record = history.run()
    assert record.succeeded and history.signals == ["USR2 old", "QUIT old", "TERM old"]
    assert history.phases[-3:] == ["draining", "forcing", "done"]


def test_an_old_master_that_obeys_nothing_is_killed() -> None:
    """It is killed with its workers in the end, and the release has succeeded."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains, history.unicorn.obeys_quick = None, False
    record = history.run()
    assert record.succeeded
    assert history.signals == ["USR2 old", "QUIT old", "TERM old", "STOP old", "KILL old"]
    assert len(history.system.processes) == 3


def test_a_killed_master_that_does_not_end() -> None:
    """It waits in the kernel, nobody knows for how long; the caller is told."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains, history.unicorn.obeys_quick = None, False
    history.system.unkillable.add(history.old.pid)
    record = history.run()
    assert record.phase is Phase.FAILED and history.new.alive
    assert record.reason == "the old master was killed and does not end"  # no option sets that time


def test_the_new_master_dies_while_the_old_drains() -> None:
    """The old one keeps its time for its last requests, and the end is told as a failure."""
    history = History()
    history.unicorn.drains = None
    history.run(Phase.DRAINING)
    history.system.end(history.new)
    record = history.run()
    assert record.phase is Phase.FAILED and "after the old one was told to quit" in record.reason
    assert record.ended - record.began >= Options().drain_timeout
    assert history.signals[:3] == ["USR2 old", "QUIT old", "TERM old"]
