"""What has a program's listening sockets, and is neither a worker nor a proven master."""

from __future__ import annotations

import pytest

from unicorn_handover.family.sharers import Sharers

from ..fake_process import Fake
from ..fake_system import FakeSystem


@pytest.fixture
def system() -> FakeSystem:
    """A kernel with one listening socket."""
    system = FakeSystem()
    system.listening_inodes = frozenset({7})
    return system


@pytest.fixture
def master(system: FakeSystem) -> Fake:
    """A master that listens, and has a connection as well."""
    return system.add(ppid=1, forked=False, words=["unicorn master"], inodes={7, 9})


def taken(system: FakeSystem, sharers: Sharers, *strangers: Fake) -> list[int]:
    """The pids that are held, each given back."""
    found = sharers.take([stranger.pid for stranger in strangers])
    for process in found:
        process.close()
    assert system.open_handles == 0
    return [process.pid for process in found]


def test_what_has_exec_d_below_a_master_at_any_depth(system: FakeSystem, master: Fake) -> None:
    """A job runner, and what a worker has started; not a worker, nor what has other sockets."""
    worker = system.add(ppid=master.pid, forked=True, words=["worker"], inodes={7})
    runner = system.add(ppid=master.pid, forked=False, words=["runner"], inodes={7})
    deep = system.add(ppid=worker.pid, forked=False, words=["deep"], inodes={7})
    system.add(ppid=master.pid, forked=False, words=["other"], inodes={8, 9})
    sharers = Sharers(system)  # type: ignore[arg-type]
    sharers.gather(master.pid)
    sharers.gather(master.pid)
    assert sorted(taken(system, sharers)) == [runner.pid, deep.pid]


def test_a_stranger_that_got_the_number_is_not_held(system: FakeSystem, master: Fake) -> None:
    """What shared the sockets may end, and another process begin under its number at any moment."""
    runner = system.add(ppid=master.pid, forked=False, words=["runner"], inodes={7})
    start, sockets = runner.start, system.sockets

    def then_it_is_another(pid: int, outlive_exec: bool = False) -> frozenset[int]:
        found = sockets(pid, outlive_exec)
        if pid == runner.pid:
            runner.start += 1
        return found

    system.sockets = then_it_is_another  # type: ignore[method-assign]
    sharers = Sharers(system)  # type: ignore[arg-type]
    sharers.gather(master.pid)
    (held,) = sharers.take([])
    assert held.start == start
    held.close()


def test_what_ends_while_it_is_taken_is_closed(system: FakeSystem, master: Fake) -> None:
    """It lives at one look, and not at the next."""
    system.add(ppid=master.pid, forked=False, words=["runner"], inodes={7})
    sharers = Sharers(system)  # type: ignore[arg-type]
    sharers.gather(master.pid)
    (held,) = sharers._held.values()
    looks = iter([True, False])
    held.alive = lambda: next(looks)  # type: ignore[method-assign]
    for process in sharers.take([]):
        process.close()
    assert system.open_handles == 0


def test_what_came_after_the_stop(system: FakeSystem, master: Fake) -> None:
    """The host's children are looked at once more when the master is gone."""
    sharers = Sharers(system)  # type: ignore[arg-type]
    sharers.gather(master.pid)
    late = system.add(ppid=1, forked=False, words=["late"], inodes={7})
    other = system.add(ppid=1, forked=False, words=["another program"], inodes={8})
    system.end(master)
    assert taken(system, sharers, late, other) == [late.pid]


def test_a_program_that_was_not_stopped(system: FakeSystem, master: Fake) -> None:
    """Nothing was gathered, so nothing is held."""
    runner = system.add(ppid=1, forked=False, words=["runner"], inodes={7})
    assert taken(system, Sharers(system), runner) == []  # type: ignore[arg-type]


def test_what_ended_by_itself(system: FakeSystem, master: Fake) -> None:
    """It is given back."""
    runner = system.add(ppid=master.pid, forked=False, words=["runner"], inodes={7})
    sharers = Sharers(system)  # type: ignore[arg-type]
    sharers.gather(master.pid)
    system.end(runner)
    assert taken(system, sharers) == []
    sharers.gather(master.pid)
    sharers.release()
    assert system.open_handles == 0
