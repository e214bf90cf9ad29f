"""Who follows a master that has ended, and who is no follower."""

from __future__ import annotations

from signal import SIGTTOU

from unicorn_handover.family import members
from unicorn_handover.model.record import MasterId

from ..fake_system import FakeSystem
from ..masters import UNICORN, add


def test_a_master_with_a_title_of_its_own_after_the_old_one_s_death(system: FakeSystem) -> None:
    """It is of the program's group, and listens somewhere; a helper of the program does not."""
    system.listening_inodes = frozenset({7})
    proof = {"environ": {}, "catches": {SIGTTOU}, "pgrp": 50}
    helper = add(system, "shop: helper", **proof)
    new = add(system, "shop", **proof, inodes={7})
    found = members.successor_among(system, [helper.pid, new.pid], 4711, 50, None)
    assert found and found.pid == new.pid
    found.close()


def test_a_successor_after_the_old_master_s_death_is_of_its_group(system: FakeSystem) -> None:
    """Parentage is lost then; the process group is not, and a stranger's master is not taken."""
    proof = {"environ": {"UNICORN_FD": "7"}, "sockets": {7}}
    stranger = add(system, "unicorn", **proof, pgrp=60)
    own = add(system, "unicorn", **proof, pgrp=50)
    found = members.successor_among(system, [stranger.pid, own.pid, 4711], 50, 50, None)
    assert found and found.pid == own.pid and system.open_handles == 1
    found.close()


def test_a_known_successor_needs_no_proof_after_the_old_master_s_death(system: FakeSystem) -> None:
    """One that was told to quit has closed its listeners; it comes before what looks like one."""
    other = add(system, "unicorn", environ={"UNICORN_FD": "7"}, sockets={7}, pgrp=50)
    known = add(system, "unicorn", pgrp=50)
    pids, new = [other.pid, known.pid], MasterId(known.pid, known.start)
    found = members.successor_among(system, pids, 50, 50, new)
    assert found and found.pid == known.pid
    found.close()
    reused = MasterId(known.pid, known.start - 1)
    assert members.successor_among(system, [known.pid], 50, 50, reused) is None
    assert system.open_handles == 0


def test_a_stranger_with_the_number_of_a_worker_is_none(system: FakeSystem) -> None:
    """The worker may have ended since the children were listed."""
    worker = add(system, "unicorn worker[0]", forked=True)
    children = system.children

    def then_it_is_another(pid: int) -> list[int]:
        found = children(pid)
        worker.ppid = 1
        return found

    system.children = then_it_is_another  # type: ignore[method-assign]
    assert members.forked_by(system, 50) == [] and system.open_handles == 0


def test_a_successor_is_not_older_than_its_master(system: FakeSystem) -> None:
    """A process that began before the master cannot be its new one."""
    early = add(system, "unicorn", environ={"UNICORN_FD": "7"}, sockets={7})
    system.advance_to(system.now + 5)
    master = system.add(ppid=1, forked=False, words=["unicorn master"])
    early.ppid = master.pid
    held = system.hold(master.pid)
    assert held and members.successor(system, held, UNICORN) is None
    held.close()
    assert system.open_handles == 0
