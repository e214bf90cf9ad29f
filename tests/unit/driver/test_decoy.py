"""A child of a re-exec that is stopped so that a gunicorn keeps its sockets' names."""

from __future__ import annotations

from signal import SIGUSR2, Signals

import pytest

from unicorn_handover.driver.decoy import AGAIN, PATIENCE, Decoy
from unicorn_handover.servers import SERVERS

from ..fake_process import Fake
from ..fake_system import FakeSystem

GUNICORN = SERVERS["gunicorn"]


@pytest.fixture
def system() -> FakeSystem:
    """Two masters on one socket; the first has a worker."""
    system = FakeSystem()
    for _ in range(2):
        system.add(ppid=1, forked=False, words=["gunicorn"], inodes={7})
    system.add(ppid=100, forked=True, words=["gunicorn"])
    return system


def make(system: FakeSystem) -> Decoy:
    """A decoy of the first master, for the sake of the second."""
    old, new = system.hold(100), system.hold(101)
    assert old and new
    return Decoy(system, old, GUNICORN, new)  # type: ignore[arg-type]


def forks_at(system: FakeSystem, turn: int) -> list[Fake]:
    """Let the first master obey the USR2 of that turn; the list is of what it forks."""
    forked: list[Fake] = []
    turns = iter(range(1, 100))

    def obey(number: Signals) -> None:
        if number == SIGUSR2 and next(turns) == turn:
            forked.append(system.add(ppid=100, forked=True, words=["gunicorn"]))

    system.processes[100].obey = obey
    return forked


def test_what_the_master_forks_is_stopped(system: FakeSystem) -> None:
    """Then the master is told to end; its worker is left alone."""
    forked = forks_at(system, 1)
    decoy = make(system)
    decoy.step()
    decoy.step()
    assert system.signals == [("USR2", 100), ("STOP", forked[0].pid), ("TERM", 100)]


def test_the_decoy_is_killed_when_the_master_has_closed_its_sockets(system: FakeSystem) -> None:
    """By then it has decided; and nothing is left held."""
    forked = forks_at(system, 1)
    decoy = make(system)
    decoy.step()
    assert forked[0].alive and not decoy.over
    system.processes[100].inodes = set()
    decoy.step()
    assert not forked[0].alive and decoy.over
    assert system.open_handles == 2  # the masters


def test_a_master_that_ignores_usr2_is_asked_again_and_not_for_ever(system: FakeSystem) -> None:
    """A gunicorn does for a second. If none comes at all it ends without a decoy."""
    forked = forks_at(system, 2)
    decoy = make(system)
    system.advance_to(system.now + AGAIN)
    decoy.step()
    decoy.step()
    assert len(forked) == 1 and system.signals[-1] == ("TERM", 100)
    decoy.close()
    never = make(system)
    system.signals.clear()
    system.advance_to(system.now + PATIENCE)
    never.step()
    assert system.signals == [("TERM", 100)] and not never.over


def test_another_drivers_decoy_is_taken_over(system: FakeSystem) -> None:
    """It is stopped, so it serves, and USR2 is not sent again."""
    left = system.add(ppid=100, forked=True, words=["gunicorn"])
    system.stopped.add(left.pid)
    decoy = make(system)
    assert ("USR2", 100) not in system.signals and ("TERM", 100) in system.signals
    decoy.close()
    assert not left.alive


def test_a_stranger_that_got_the_number_of_a_child_is_left_alone(system: FakeSystem) -> None:
    """A child may have ended since the children were listed."""
    forked, children = forks_at(system, 1), system.children

    def then_it_is_another(pid: int) -> list[int]:
        found = children(pid)
        for child in forked:
            child.ppid = 1
        return found

    system.children = then_it_is_another  # type: ignore[method-assign]
    make(system).step()
    assert forked and system.stopped == set()


def test_a_worker_that_comes_late_is_stopped_as_well(system: FakeSystem) -> None:
    """Which child is the re-exec's does not show at once, and none is needed any more."""
    forks_at(system, 1)
    decoy = make(system)
    decoy.step()
    late = system.add(ppid=100, forked=True, words=["gunicorn"])
    decoy.step()
    assert late.pid in system.stopped
    decoy.close()
    assert not late.alive


def test_a_master_that_serves_no_more_is_told_without_a_decoy(system: FakeSystem) -> None:
    """Its sockets are closed, so it has unlinked them or will not."""
    system.processes[100].inodes = set()
    decoy = make(system)
    assert decoy.over and system.signals == [("TERM", 100)]
