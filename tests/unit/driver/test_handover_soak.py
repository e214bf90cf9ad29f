"""Both releases stay until the new one is proven, or the operator decides."""

from __future__ import annotations

import pytest

from unicorn_handover.model.phases import Event, Phase

from .history import History


def test_soak_keeps_the_old_master_without_workers() -> None:
    """The old workers are told to end, and after the soak so is the old master."""
    history = History(soak=10.0)
    history.run(Phase.SOAKING)
    soaking = history.system.now
    record = history.run()
    assert record.succeeded and record.ended - soaking >= 10
    assert history.signals == ["USR2 old", "WINCH old", "QUIT old"]


@pytest.mark.parametrize("crashes", [False, True])
def test_an_old_master_that_dies_in_the_soak_proves_nothing(crashes: bool) -> None:
    """There is no way back then; whether the release is good is still told by its workers."""
    history = History(soak=10.0)
    history.run(Phase.SOAKING)
    for worker in history.unicorn.workers(history.new) if crashes else []:
        history.system.end(worker)
        history.unicorn.fork_worker(history.new, None)
    history.system.end(history.old)
    record = history.run()
    assert record.succeeded is not crashes and "alone" in history.phases[-3:]
    assert history.signals == ["USR2 old", "WINCH old"] and history.new.alive


def test_promote_ends_the_soak() -> None:
    """The operator may end the soak before its time."""
    history = History(soak=1000.0)
    history.run(Phase.SOAKING)
    assert history.handover
    history.handover.command(Event.PROMOTE)
    assert history.run(seconds=5).succeeded


def test_promote_waits_for_the_soak() -> None:
    """Asked for while the new master boots, it is kept until the workers are ready."""
    history = History(soak=1000.0)
    history.run(Phase.BOOTING)
    assert history.handover
    history.handover.command(Event.PROMOTE)
    assert history.run(seconds=5).succeeded and "soaking" in history.phases


class Slow:
    """A check that has no answer yet."""

    passed = failed = False
    failure = note = ""

    def __init__(self, *arguments: object) -> None:
        pass

    def step(self, now: float) -> None:
        pass

    close = __init__


def test_a_check_that_is_slow_has_time_and_its_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short boot_timeout is, three questions have their time; the workers get no blame."""
    monkeypatch.setattr("unicorn_handover.driver.check.Check", Slow)
    history = History(boot_timeout=2.0, check="http://127.0.0.1:1/")
    history.run(Phase.SOAKING)
    began = history.system.now
    record = history.run(Phase.RESTORING)
    assert record.since - began >= 18 and record.reason.startswith("the check had no good answer")
    history.run()
