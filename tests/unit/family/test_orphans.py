"""What a dead master leaves behind: held until it is gone, and ended if it lives for too long."""

from __future__ import annotations

from signal import SIGABRT, SIGHUP, SIGTERM, SIGUSR1, Signals

import pytest

from unicorn_handover.family import members
from unicorn_handover.family.orphans import Orphans

from ..fake_process import Fake
from ..fake_system import FakeSystem

GROUP = 50


class Site:
    """A host whose managed master died just now."""

    def __init__(self) -> None:
        self.system = FakeSystem()
        self.log: list[str] = []
        self.orphans = Orphans(self.system, self.log.append)  # type: ignore[arg-type]

    def child(self, words: str, forked: bool, group: int = GROUP) -> Fake:
        """A process that has become the host's."""
        return self.system.add(ppid=1, forked=forked, words=[words], pgrp=group)

    def collect(self, patience: float = 10.0) -> list[int]:
        """Hold what is there, as a host does when it finds no successor."""
        left = self.orphans.left_in(GROUP, list(self.system.processes))
        self.orphans.keep(left, patience)
        return [process.pid for process in left]


@pytest.fixture
def site() -> Site:
    """A new one."""
    return Site()


def test_workers_and_what_is_in_the_middle_of_an_exec_are_held(site: Site) -> None:
    """A new master is one or the other until it can be proven; a helper that exec'd is neither."""
    worker = site.child("unicorn worker[0]", forked=True)
    new = site.child("", forked=False)
    site.child("sleep 45", forked=False)
    site.child("unicorn worker[0]", forked=True, group=60)
    assert site.collect() == [worker.pid, new.pid]
    assert site.collect() == []  # they are held already
    site.orphans.release()
    assert site.system.open_handles == 0


def test_a_gunicorn_s_workers_are_told_that_their_master_is_dead(site: Site) -> None:
    """An idle one would keep the port, one of uvicorn's serve for ever.

    What the application has forked besides is not signalled.
    """
    worker = site.child("gunicorn: worker [app]", forked=True)
    worker.heartbeats, worker.catches = {1: (5.0, 0o100600)}, {SIGABRT, SIGTERM}
    helper = site.child("gunicorn: worker [app]", forked=True)
    helper.heartbeats, helper.catches = {1: (5.0, 0o100600)}, {SIGTERM}
    other = site.child("gunicorn: worker [app]", forked=True)
    other.catches = {SIGABRT, SIGTERM}
    of_uvicorn = site.child("gunicorn: worker [app]", forked=True)
    of_uvicorn.heartbeats, of_uvicorn.catches = worker.heartbeats, {SIGTERM, SIGUSR1}
    of_the_master = site.child("gunicorn: master [app]", forked=True)
    of_the_master.heartbeats, of_the_master.catches = worker.heartbeats, {SIGTERM, SIGUSR1, SIGHUP}
    names = ("worker", "helper", "other", "uvicorn", "master's")
    children = (worker, helper, other, of_uvicorn, of_the_master)
    got: list[tuple[str, Signals]] = []
    for name, process in zip(names, children):
        process.obey = lambda number, name=name: got.append((name, number))  # type: ignore[misc]
    site.collect()
    assert got == [("worker", SIGTERM), ("uvicorn", SIGTERM)]


def test_one_that_execs_is_ended(site: Site) -> None:
    """It would be a second family. The workers may finish their requests, but not for ever."""
    worker = site.child("unicorn worker[0]", forked=True)
    new = site.child("unicorn master", forked=True)
    site.collect(patience=10.0)
    assert site.orphans.mind() and worker.alive and new.alive
    new.forked = False
    assert site.orphans.mind() and worker.alive and not new.alive
    site.system.advance_to(site.system.now + 11)
    assert not site.orphans.mind() and not worker.alive
    assert len(site.log) == 2 and site.system.open_handles == 0


def test_one_that_execd_starts_no_worker_in_its_last_moment(site: Site) -> None:
    """It would replace a killed worker: so it is stopped while its workers are listed."""
    new = site.child("unicorn master", forked=True)
    site.collect()
    new.forked = False
    site.system.add(ppid=new.pid, forked=True, words=["unicorn worker[0]"])
    site.orphans.kill()
    killed = [pid for name, pid in site.system.signals if name == "KILL"]
    assert ("STOP", new.pid) == site.system.signals[0] and killed[0] == new.pid
    assert not site.system.processes


def test_one_that_cannot_be_killed_is_told_of_once(site: Site) -> None:
    """A process that waits in the kernel lives on; who waits for it may give up."""
    worker = site.child("unicorn worker[0]", forked=True)
    site.system.unkillable.add(worker.pid)
    site.collect()
    assert not site.orphans.hopeless
    site.orphans.kill()
    assert site.orphans.mind() and site.orphans.hopeless
    site.orphans.kill()
    assert site.log == [f"killing pid {worker.pid}, left behind by a dead master"]


def test_one_that_has_become_another_user_s(site: Site) -> None:
    """The others end in their time all the same; what is to be done about it is told once."""
    first, last = (site.child("gunicorn: worker [app]", forked=True) for _ in range(2))
    for worker in (first, last):
        worker.heartbeats, worker.catches = {1: (5.0, 0o100600)}, {SIGABRT, SIGTERM}
    site.system.others.add(first.pid)
    site.collect(patience=10.0)
    assert site.system.signals == [("TERM", last.pid)]
    site.system.advance_to(site.system.now + 11)
    assert site.orphans.mind() and not last.alive and site.orphans.hopeless
    refused = f"user 1000 may not signal pid {first.pid}; end it as its user or root"
    assert len([line for line in site.log if refused in line]) == 1
    count = len(site.log)
    assert site.orphans.mind() and len(site.log) == count
    site.system.end(first)
    assert not site.orphans.mind() and site.system.open_handles == 0


@pytest.mark.parametrize("group", [0, 1])
def test_a_group_that_no_host_has_made_is_nobody_s(group: int) -> None:
    """0 is any group outside of this pid namespace, and 1 may be that of the host itself."""
    system = FakeSystem()
    stranger = system.add(ppid=1, forked=True, words=["x"], pgrp=group)
    proof = {"environ": {"UNICORN_FD": "7"}, "sockets": {7}}
    master = system.add(ppid=1, forked=False, words=["unicorn"], pgrp=group, **proof)
    orphans = Orphans(system, print)  # type: ignore[arg-type]
    assert orphans.left_in(group, [stranger.pid]) == []
    assert members.successor_among(system, [master.pid], 4711, group, None) is None  # type: ignore[arg-type]
    assert system.open_handles == 0
