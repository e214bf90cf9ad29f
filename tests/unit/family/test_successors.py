"""The other masters of a program that ends: how they are told, and who is held."""

from __future__ import annotations

from signal import SIGQUIT, SIGTERM, SIGTTOU, SIGUSR1, Signals

import pytest

from unicorn_handover.family import successors
from unicorn_handover.family.successors import Successors, end_master

from ..fake_process import Fake
from ..fake_system import FakeSystem


def master_of(system: FakeSystem, *workers: set[Signals]) -> Fake:
    """A unicorn master with its handlers, and workers that catch these signals."""
    master = system.add(ppid=1, forked=False, words=["unicorn master"], catches={SIGTTOU})
    for number, catches in enumerate(workers):
        words = [f"unicorn worker[{number}]"]
        system.add(ppid=master.pid, forked=True, words=words, catches=catches)
    return master


def test_a_master_that_serves_gets_the_signal_itself() -> None:
    """It ends as the signal means, with its requests; also one that a lost driver had stopped."""
    system = FakeSystem()
    master = master_of(system, set(), {SIGUSR1})
    system.stopped.add(master.pid)
    end_master(system, system.hold(master.pid), SIGQUIT)  # type: ignore[arg-type]
    assert system.signals == [("QUIT", master.pid), ("CONT", master.pid)]


@pytest.mark.parametrize("workers", [(), (set(), set())], ids=["none", "loading"])
def test_a_master_without_a_ready_worker_is_killed(workers: tuple[set[Signals], ...]) -> None:
    """It would act on the signal once it has loaded, and connections would wait for that."""
    system = FakeSystem()
    master = master_of(system, *workers)
    family = [master.pid, *system.children(master.pid)]
    end_master(system, system.hold(master.pid), SIGQUIT)  # type: ignore[arg-type]
    assert system.signals == [("STOP", master.pid), *(("KILL", pid) for pid in family)]
    assert system.open_handles == 1


def test_a_master_that_has_no_handlers_yet_is_killed() -> None:
    """It could lose the signal, and go on as the program's next master after a stop."""
    system = FakeSystem()
    master = system.add(ppid=1, forked=False, words=["ruby", "unicorn"], catches={SIGTERM})
    end_master(system, system.hold(master.pid), SIGTERM)  # type: ignore[arg-type]
    assert system.signals[-1] == ("KILL", master.pid)


@pytest.mark.parametrize(("catches", "sent"), [({SIGTTOU}, "QUIT"), (set(), "KILL")])
def test_a_master_that_cannot_be_looked_into_is_ended_too(
    catches: set[Signals], sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gracefully, if it has its handlers: it may serve."""

    def refuse(system: FakeSystem, pid: int) -> bool:
        raise PermissionError(f"cannot inspect pid {pid}")

    monkeypatch.setattr(successors, "has_ready_worker", refuse)
    system = FakeSystem()
    master = system.add(ppid=1, forked=False, words=["unicorn master"], catches=catches)
    end_master(system, system.hold(master.pid), SIGQUIT)  # type: ignore[arg-type]
    assert (sent, master.pid) in system.signals


def test_each_successor_takes_over_in_its_turn() -> None:
    """Of three masters, made by USR2 by hand, the third is not forgotten when the second comes."""
    system = FakeSystem()
    family = [system.add(ppid=1, forked=False, words=["unicorn master"])]
    for _ in range(2):
        proof = {"environ": {"UNICORN_FD": "7"}, "sockets": {7}}
        family.append(system.add(ppid=family[-1].pid, forked=False, words=["unicorn"], **proof))
    held = Successors(system)  # type: ignore[arg-type]
    assert [each.pid for each in held.gather(family[0].pid)] == [family[1].pid, family[2].pid]
    for master, successor in zip(family, family[1:]):
        system.end(master)
        taken = held.take()
        assert taken and taken.pid == successor.pid
        taken.close()
    system.end(family[2])
    assert held.take() is None and system.open_handles == 0
