"""The other masters of a program that ends: how they are told, and who is held."""

from __future__ import annotations

from signal import SIGQUIT, SIGTERM, SIGTTOU

from unicorn_handover.family.successors import Successors, end_master

from ..fake_system import FakeSystem


def test_a_master_with_its_handlers_gets_the_signal_itself() -> None:
    """It ends as the signal means, with its requests; also one that a lost driver had stopped."""
    system = FakeSystem()
    master = system.add(ppid=1, forked=False, words=["unicorn master"], catches={SIGTTOU})
    system.stopped.add(master.pid)
    end_master(system, system.hold(master.pid), SIGQUIT)  # type: ignore[arg-type]
    assert system.signals == [("QUIT", master.pid), ("CONT", master.pid)]


def test_a_master_that_has_no_handlers_yet_is_killed() -> None:
    """It could lose the signal, and go on as the program's next master after a stop."""
    system = FakeSystem()
    master = system.add(ppid=1, forked=False, words=["ruby", "unicorn"], catches={SIGTERM})
    end_master(system, system.hold(master.pid), SIGTERM)  # type: ignore[arg-type]
    assert system.signals == [("KILL", master.pid)]


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
