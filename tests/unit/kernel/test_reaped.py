"""How the end of a process is seen that is somebody else's child."""

from __future__ import annotations

from unicorn_handover.kernel.process import readable
from unicorn_handover.kernel.system import System

from ...waiting import wait_until
from .test_forked import Family, family

__all__ = ["family"]


def test_reaped(family: Family) -> None:
    """The pidfd tells of its death at once, this of its parent's waiting."""
    system = System()
    held = system.hold(family.child)
    assert held and not system.is_own_child(family.child) and system.is_own_child(family.parent)
    family.tell("end")
    assert not held.alive()
    reaped = held.reaped()
    assert not readable(reaped.fileno())
    family.tell("wait")
    wait_until(lambda: readable(reaped.fileno()), "it was reaped", 10)
    reaped.close()
    held.close()


def test_the_members_of_a_group(family: Family) -> None:
    """All are found, whoever their parents are; the eldest first."""
    system = System()
    stat = system.stat(family.parent)
    assert stat
    members = system.group_members(stat.pgrp)
    assert members.index(family.parent) < members.index(family.child)
    assert system.group_members(1 << 30) == []
