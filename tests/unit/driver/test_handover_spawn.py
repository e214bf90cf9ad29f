"""Histories of handovers whose new master the host starts itself."""

from __future__ import annotations

import pytest

from unicorn_handover.driver.scheduler import Driver
from unicorn_handover.model.options import Options
from unicorn_handover.model.orders import Order, Orders
from unicorn_handover.model.phases import Event, Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import SERVERS

from ..fake_process import Fake
from .history import History
from .spawn_history import SOCKETS, SpawnHistory


def test_a_spawned_master_takes_over() -> None:
    """No USR2; from booting on it is a handover as any other."""
    history = SpawnHistory()
    record = history.run()
    assert record.succeeded and record.method == "spawn"
    assert record.why == "the command was changed" and record.sockets == SOCKETS
    assert history.phases == ["checking", "starting", "booting", "draining", "done"]
    assert history.signals == ["QUIT old"]
    assert record.new == (history.spawned[0].pid, history.spawned[0].start)
    assert record.began <= record.signalled <= record.since


def test_the_host_wants_it_only_where_something_speaks_for_it() -> None:
    """By the method "auto" a master re-executes itself, unless there is a reason."""
    history = SpawnHistory()
    now, old = history.system.now, MasterId(history.old.pid, history.old.start)
    history.begin(Record("web", 1, Phase.REQUESTED, old, now, now, method="auto"))
    record = history.run()
    assert record.succeeded and record.method == "usr2" and history.spawned == []
    changed = SpawnHistory()
    wanted = Record("web", 1, Phase.REQUESTED, old, now, now, method="auto", why="was changed")
    changed.begin(wanted)
    assert changed.run().method == "spawn"


def test_a_re_exec_by_option_says_what_it_does_not_renew() -> None:
    """The restart is not silently of what was configured before."""
    history = SpawnHistory()
    now, old = history.system.now, MasterId(history.old.pid, history.old.start)
    wanted = Record("web", 1, Phase.REQUESTED, old, now, now, method="usr2", why="env changed")
    history.begin(wanted)
    record = history.run()
    assert record.succeeded and record.way == "usr2: not renewed: env changed"


def test_a_lost_directory_matters_to_a_re_exec_alone() -> None:
    """What the host starts does not come from what the old master remembers."""
    history = SpawnHistory()
    history.old.cwd, history.old.words = "/nosuch", ["unicorn master"]
    assert history.run().succeeded
    again = History()
    again.old.cwd, again.old.words = "/nosuch", ["unicorn master"]
    assert "/nosuch" in again.run().reason


def test_a_spawned_master_that_dies_is_reported() -> None:
    """The old master hears nothing, and what the dead one forked at last is ended."""
    history = SpawnHistory()
    history.unicorn.boots = None
    fork = history.unicorn.fork_workers

    def fork_and_die(master: Fake) -> None:
        fork(master)
        for worker in history.unicorn.workers(master):
            worker.pgrp = master.pid
        history.system.end(master)

    history.unicorn.fork_workers = fork_and_die  # type: ignore[method-assign]
    record = history.run()
    assert record.reason.startswith(f"the new master (pid {record.new.pid}) ended before")
    assert history.signals == [] and history.old.alive
    assert len(history.system.processes) == 3  # the old master and its workers


def test_one_that_was_dead_before_it_was_named_is_reported() -> None:
    """The host may know its number alone."""
    history = SpawnHistory()
    history.unicorn.dies = 0.001
    record = history.run()
    assert record.phase is Phase.FAILED and "ended before its workers were ready" in record.reason


def test_a_host_that_starts_nothing_is_not_waited_for_longer_than_boot_timeout() -> None:
    """The old master serves on."""
    history = SpawnHistory(boot_timeout=5)
    history.mute = True
    record = history.run()
    assert record.reason == "no new master was started in time (boot_timeout = 5 s)"
    assert history.signals == []


def test_an_old_master_that_ends_meanwhile_is_the_hosts_to_judge() -> None:
    """If the host has started a new one, that is the program, and is still to be proven."""
    history = SpawnHistory()
    history.mute = True
    history.run(Phase.STARTING)
    history.unicorn._end(history.old)
    assert history.handover
    history.handover.step()
    assert history.handover.record.phase is Phase.STARTING
    history.name_new()
    record = history.run()
    assert record.phase is Phase.DONE and "alone" in history.phases


def test_a_roll_back_while_it_starts_removes_it() -> None:
    """The command is kept until the new master is known."""
    history = SpawnHistory()
    history.run(Phase.STARTING)
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    record = history.run()
    assert record.reason == "rolled back by command" and history.signals == ["QUIT new"]
    assert history.old.alive and not history.spawned[0].alive


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.BOOTING, Phase.DRAINING])
def test_another_driver_goes_on(phase: Phase) -> None:
    """From what the host knows, which has started the new master meanwhile; it starts no second."""
    history = SpawnHistory()
    history.run(phase)
    known = history.lose_driver()
    history.begin(history.host_record() if phase is Phase.STARTING else known)
    assert history.run().succeeded
    assert len(history.spawned) == 1 and history.signals.count("USR2 old") == 0


@pytest.fixture
def unlinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that unlinks its sockets."""
    monkeypatch.setattr(SERVERS["unicorn"], "unlinks_sockets", True)


@pytest.mark.usefixtures("unlinking")
def test_names_are_kept_from_the_first_moment_to_the_last() -> None:
    """A new master that dies at boot takes the old one's name along otherwise."""
    history = SpawnHistory()
    history.unicorn.dies = 0.2
    history.run(Phase.BOOTING)
    history.system.unlinked = set(SOCKETS)
    assert history.run().phase is Phase.FAILED
    names = history.system.names
    assert names and history.system.unlinked == set() and names.left is False


@pytest.mark.usefixtures("unlinking")
def test_the_old_master_ends_behind_a_decoy() -> None:
    """Its re-exec is stopped before it can do anything, and killed in the end."""
    history = SpawnHistory()
    history.unicorn.exec_takes = 0.5
    history.old.inodes = {7}
    history.at_phase[Phase.DRAINING] = lambda: history.spawned[0].inodes.add(7)
    record = history.run()
    assert record.succeeded
    assert history.signals == ["STOP new", "CONT new", "USR2 old", "QUIT old"]
    new = history.spawned[0].pid
    stopped = [p for number, p in history.system.signals if number == "STOP" and p != new]
    killed = [pid for number, pid in history.system.signals if number == "KILL"]
    assert len(stopped) == 1 and killed in (stopped, [])  # it may have ended with its master
    assert len(history.system.processes) == 3  # the new master and its workers


@pytest.mark.usefixtures("unlinking")
def test_a_master_that_cannot_re_execute_itself_is_silenced() -> None:
    """It is stopped, its workers end after their requests, and then it is killed."""
    history = SpawnHistory()
    history.old.cwd, history.old.words = "/srv", ["unicorn master"]
    history.at_phase[Phase.DRAINING] = lambda: history.system.gone.add("/srv")
    workers = history.unicorn.workers(history.old)
    for worker in workers:
        worker.obey = lambda number, w=worker: history.system.later(  # type: ignore[misc]
            0.2, lambda: history.system.end(w)
        )
    record = history.run()
    assert record.succeeded and "USR2 old" not in history.signals
    assert history.signals[-2:] == ["STOP old", "KILL old"]
    told = [("QUIT", worker.pid) for worker in workers]
    assert sorted(s for s in history.system.signals if s[0] == "QUIT") == sorted(told)


@pytest.mark.usefixtures("unlinking")
def test_a_new_master_whose_first_worker_dies_ends_nothing_itself() -> None:
    """It was stopped when that worker came, and is killed: it would unlink what the other needs."""
    history = SpawnHistory()
    history.unicorn.crashes = True
    record = history.run()
    assert record.phase is Phase.FAILED and "ended before its workers" in record.reason
    assert history.signals == ["STOP new", "KILL new"] and history.old.alive


@pytest.mark.usefixtures("unlinking")
def test_a_new_master_that_a_killed_driver_had_stopped_goes_on() -> None:
    """Also if the old master has ended before the next driver comes: it is all that serves."""
    history = SpawnHistory()
    history.run(Phase.BOOTING)
    new = history.spawned[0]
    history.begin(history.lose_driver())
    history.system.stopped.add(new.pid)  # as if that driver had been killed just then
    history.system.end(history.old)
    record = history.run()
    assert record.phase is Phase.DONE and "alone" in history.phases
    assert history.system.stopped == set()


@pytest.mark.usefixtures("unlinking")
def test_a_silenced_new_master_does_not_go_on_before_it_is_killed() -> None:
    """It would unlink, or replace the workers that have ended."""
    history = SpawnHistory(boot_timeout=1.0)
    history.unicorn.boots = None

    def lose_its_directory() -> None:
        history.spawned[0].cwd, history.spawned[0].words = "/nosuch", ["unicorn master"]

    history.at_phase[Phase.REMOVING] = lose_its_directory
    assert history.run().phase is Phase.FAILED and "killing-new" in history.phases
    assert history.signals == ["STOP new", "CONT new", "STOP new", "STOP new", "KILL new"]


@pytest.mark.usefixtures("unlinking")
def test_a_handover_that_is_dropped_lets_both_masters_go_on() -> None:
    """Whichever was stopped: its program is being stopped, or another driver comes."""
    history = SpawnHistory()
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    handover = history.handover
    assert handover
    while "STOP new" not in history.signals:
        history.system.advance_to(history.system.now + 0.01)
        handover.step()
    handover.close(cancelled=True)
    assert history.signals[-1] == "CONT new" and history.system.stopped == set()


@pytest.mark.usefixtures("unlinking")
def test_a_cancelled_handover_leaves_no_name_behind() -> None:
    """Its program is being stopped; but a driver that ends leaves them to the next one."""
    for cancelled in (True, False):
        history = SpawnHistory()
        history.run(Phase.BOOTING)
        assert history.handover
        history.handover.step()
        history.handover.close(cancelled)
        assert history.system.names and history.system.names.left is not cancelled


def test_a_driver_hears_of_the_new_master_by_its_orders() -> None:
    """The order's record names it."""
    history = SpawnHistory()
    history.mute = True
    driver = Driver(history.system, history._report)  # type: ignore[arg-type]
    now, old = history.system.now, MasterId(history.old.pid, history.old.start)
    first = Record("web", 1, Phase.REQUESTED, old, now, now, method="spawn")
    driver.take(Orders([Order(first, Options())]))
    assert history.reports[-1].phase is Phase.STARTING
    driver.take(Orders([Order(history.host_record(), Options())]))
    driver.step()
    assert history.reports[-1].phase is Phase.BOOTING
    assert history.reports[-1].new == history.host_record().new
    driver.close()
