"""A release that does not boot is removed, and the old master serves on."""

from __future__ import annotations

from unicorn_handover.model.phases import Phase

from ..fake_process import Fake
from .history import History


def test_the_new_master_dies_at_load() -> None:
    """It is told as the reason, and the old master hears nothing more."""
    history = History()
    history.unicorn.dies = 0.4
    record = history.run()
    assert record.phase is Phase.FAILED
    assert (
        record.reason
        == f"the new master (pid {record.new.pid}) ended before its workers were ready"
    )
    assert history.signals == ["USR2 old"] and history.old.alive


def dies_as_it_forks() -> History:
    """A new master that ends when it has forked its workers, which then load the app."""
    history = History()
    history.unicorn.boots = None
    fork = history.unicorn.fork_workers

    def fork_and_die(master: Fake) -> None:
        fork(master)
        history.system.end(master)

    history.unicorn.fork_workers = fork_and_die  # type: ignore[method-assign]
    return history


def test_what_a_dead_new_master_forked_at_last_is_ended() -> None:
    """Its workers would load the app to the end, or for ever; the driver never saw them."""
    history = dies_as_it_forks()
    stranger = history.system.add(ppid=1, forked=True, words=["x"], pgrp=9)
    job = history.system.add(  # before it all
        ppid=1, forked=True, words=["unicorn worker[0]"], pgrp=history.old.pgrp
    )
    history.system.advance_to(history.system.now + 1)
    assert history.run().phase is Phase.FAILED
    assert len(history.system.processes) == 5  # and the old master with its workers
    assert history.old.alive and stranger.alive and job.alive


def test_what_a_dead_new_master_forked_may_be_ready_by_then() -> None:
    """Such a worker serves, and is not killed in the middle of a request."""
    history = dies_as_it_forks()
    touched = history.system.has_touched

    def touched_after_this(pid: int, address: int) -> bool | None:
        was = touched(pid, address)
        history.system.processes[pid].pages[address] = True
        return was

    history.system.has_touched = touched_after_this  # type: ignore[method-assign]
    assert history.run().phase is Phase.FAILED
    assert len(history.system.processes) == 5  # two masters' workers, and the old master
    assert not history.system.stopped


def test_a_release_that_hangs_is_removed() -> None:
    """After boot_timeout the new master is told to quit, with the old one untouched."""
    history = History(boot_timeout=7.0)
    history.unicorn.boots = None
    record = history.run()
    assert record.phase is Phase.FAILED and history.signals == ["USR2 old", "QUIT new"]
    assert "not ready in time (boot_timeout = 7 s; 0 of 2 ready)" in record.reason
    assert 7 <= record.ended - record.signalled < 9 and history.old.alive


def test_a_release_that_does_not_even_quit_is_killed() -> None:
    """A master that ignores QUIT is stopped and killed, and so are its workers."""
    history = History(boot_timeout=2.0)
    history.unicorn.boots = history.unicorn.drains = None
    record = history.run()
    workers = {pid for _, pid in history.system.signals} - {history.old.pid, history.new.pid}
    assert record.phase is Phase.FAILED and len(workers) == 2
    assert history.signals == ["USR2 old", "QUIT new", "STOP new", "KILL new"]
    assert len(history.system.processes) == 3  # the old master and its workers


def test_workers_that_die_again_and_again_are_told_within_seconds() -> None:
    """A crash loop does not wait for boot_timeout."""
    history = History(boot_timeout=100.0)
    history.unicorn.crashes = True
    record = history.run()
    assert record.phase is Phase.FAILED and "keep dying" in record.reason
    assert record.ended - record.signalled < 5
    assert history.signals == ["USR2 old", "QUIT new"] and history.old.alive
