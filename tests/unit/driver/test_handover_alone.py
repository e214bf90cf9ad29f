"""The old master ends by itself: the new one is followed, and never signalled."""

from __future__ import annotations

from unicorn_handover.model.phases import Phase

from .history import History


def test_the_old_master_dies_while_the_new_boots() -> None:
    """There is no way back, but the new one is followed to its end, without any signal."""
    history = History()
    history.at_phase[Phase.BOOTING] = lambda: history.system.end(history.old)
    record = history.run()
    assert record.succeeded and history.phases[-3:-1] == ["alone", "confirming"]
    assert history.signals == ["USR2 old"]


def test_both_masters_die() -> None:
    """With no master left the handover has failed, and nobody is signalled."""
    history = History()
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.system.end(history.old)
    history.run(Phase.ALONE)
    history.system.end(history.new)
    record = history.run()
    assert record.phase is Phase.FAILED and "both masters ended" in record.reason
    assert history.signals == ["USR2 old"]


def test_a_new_master_alone_that_hangs_is_left_alone() -> None:
    """With the old one gone, what is left is not killed, though it is not ready in time."""
    history = History(boot_timeout=3.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.system.end(history.old)
    record = history.run()
    assert record.phase is Phase.FAILED and "the old master has ended" in record.reason
    assert history.new.alive and history.signals == ["USR2 old"]
