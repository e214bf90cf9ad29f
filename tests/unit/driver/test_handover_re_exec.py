"""What comes of USR2: a new master, a re-exec that failed, or a child that is neither."""

from __future__ import annotations

from signal import SIGQUIT, SIGUSR2, Signals

import pytest

from unicorn_handover.model.phases import Phase

from ..fake_unicorn import MASTER_CATCHES
from .history import History, obeys_late


@pytest.mark.parametrize("seen", [True, False])
def test_a_re_exec_that_fails_is_reported_at_once(seen: bool) -> None:
    """A child ends before its exec; one that came and went between two polls has left its trace."""
    history = History()
    history.unicorn.exec_fails = True
    if not seen:
        history.unicorn.exec_takes = 0.0
        obeys_late(history, 0.001)
    record = history.run()
    assert record.phase is Phase.FAILED and "could not re-execute itself" in record.reason
    assert record.ended - record.signalled < 1 and history.signals == ["USR2 old"]


def test_a_re_exec_that_failed_and_was_seen_as_a_zombie_first() -> None:
    """A child that shows nothing any more when it is listed is no known one, whose end hides it."""
    history = History()

    def forks_and_fails(number: Signals) -> None:
        child = history.system.add(ppid=history.old.pid, forked=True, words=[""])
        history.system.zombies.add(child.pid)
        history.system.later(0.015, lambda: history.system.end(child))

    history.old.obey = lambda number: history.system.later(0.001, lambda: forks_and_fails(number))
    record = history.run()
    assert record.phase is Phase.FAILED and "could not re-execute itself" in record.reason
    assert record.ended - record.signalled < 1 and history.signals == ["USR2 old"]


def test_a_re_exec_that_failed_in_the_clock_tick_of_usr2() -> None:
    """Its start time, in ticks of 10 ms, is that of USR2: it was not there before."""
    history = History()

    def forks_and_fails(number: Signals) -> None:
        child = history.system.add(
            ppid=history.old.pid, forked=True, words=["ruby"], catches=MASTER_CATCHES | {SIGQUIT}
        )
        assert child.start == history.system.ticks(history.reports[-1].signalled)
        history.system.later(1.5, lambda: history.system.end(child))

    history.old.obey = forks_and_fails
    record = history.run()
    assert record.phase is Phase.FAILED and "could not re-execute itself" in record.reason
    assert record.ended - record.signalled < 3 and history.signals == ["USR2 old"]


def test_a_worker_that_ends_is_not_a_re_exec_that_failed() -> None:
    """A worker that the old master has reaped says nothing about the new master."""
    history = History()
    obeys_late(history, 2.0)
    worker = history.unicorn.workers(history.old)[0]
    history.system.later(0.2, lambda: history.system.end(worker))
    assert history.run().succeeded


def test_a_helper_of_the_old_master_is_not_a_re_exec_that_failed() -> None:
    """What it runs in a hook is forked as the new master is, and says nothing about that."""
    history = History()
    obeys_late(history, 2.0)
    helper = history.system.add(
        ppid=history.old.pid, forked=True, words=["unicorn master"], catches=set(MASTER_CATCHES)
    )

    def becomes_a_helper() -> None:
        helper.forked, helper.words, helper.catches = False, ["git", "rev-parse"], set()

    history.system.later(0.1, becomes_a_helper)
    history.system.later(0.2, lambda: history.system.end(helper))
    assert history.run().succeeded


@pytest.mark.parametrize("stays", [True, False])
def test_a_helper_that_was_there_before_is_not_the_re_exec(stays: bool) -> None:
    """It is forked as the new master is, with the master's handlers, but before USR2 is sent."""
    history = History()
    obeys_late(history, 0.7)
    helper = history.system.add(
        ppid=history.old.pid, forked=True, words=["ruby"], catches=set(MASTER_CATCHES)
    )
    history.system.later(0.1, lambda: None if stays else history.system.end(helper))
    record = history.run()
    assert record.succeeded and record.worker_count == 2
    assert history.signals == ["USR2 old", "QUIT old"]


def test_a_worker_that_was_forked_just_now_is_not_a_re_exec_that_failed() -> None:
    """It has the master's handlers for a moment, and may end before the new master comes."""
    history = History()
    obeys_late(history, 2.0)
    history.unicorn.fork_worker(history.old, None)
    worker = history.unicorn.workers(history.old)[-1]
    worker.catches = set(MASTER_CATCHES)

    def becomes_a_worker() -> None:
        worker.catches = {SIGQUIT}

    history.system.later(0.1, becomes_a_worker)
    history.system.later(0.4, lambda: history.system.end(worker))
    assert history.run().succeeded


def test_an_app_that_ends_the_old_master_before_the_driver_looks() -> None:
    """The new master is the host's child then, and is found there."""
    history = History()
    history.system.processes[history.old.pid].pgrp = 7
    obey = history.old.obey

    def re_exec_and_end(number: Signals) -> None:
        obey(number)
        history.system.advance_to(history.system.now + 0.2)
        history.new.pgrp = 7
        history.system.end(history.old)

    history.old.obey = re_exec_and_end
    record = history.run()
    assert record.succeeded and history.phases[1:-1] == [
        "re-executing",
        "booting",
        "alone",
        "confirming",
    ]


def test_an_old_master_that_ends_while_the_driver_searches() -> None:
    """Its children were listed while it lived; by now the new master is one of the host's."""
    history = History()
    obey, children = history.old.obey, history.system.children
    history.old.obey = lambda number: None

    def then_it_ends(pid: int) -> list[int]:
        found = children(pid)
        if "USR2 old" in history.signals and history.old.alive:
            obey(SIGUSR2)
            history.system.advance_to(history.system.now + 0.2)
            history.system.end(history.old)
        return found

    history.system.children = then_it_ends  # type: ignore[method-assign]
    assert history.run().succeeded and "alone" in history.phases


def test_a_program_that_has_not_execed_yet_is_waited_for() -> None:
    """It shows the host's command line until then."""
    history = History()
    words, history.old.forked, history.old.words = history.old.words, True, ["supervisord"]

    def execs() -> None:
        history.old.forked, history.old.words = False, words

    history.system.later(1.0, execs)
    assert history.run().succeeded


def test_a_starting_master_gets_usr2_when_it_obeys_it() -> None:
    """A starting ruby has handlers and dies of USR2; one that loads its app obeys it later."""
    history = History()
    serving = set(history.old.catches)
    history.old.words, history.old.catches = ["ruby", "unicorn", "-c", "u.rb"], {SIGUSR2}
    history.system.later(3, lambda: history.old.catches.update(serving))
    history.system.later(5, lambda: setattr(history.old, "words", ["unicorn master -c u.rb"]))
    record = history.run()
    assert record.succeeded and 5 <= record.signalled - record.began < 6
    assert history.signals == ["USR2 old", "QUIT old"]
