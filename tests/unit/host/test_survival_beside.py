"""A new master that the host has started beside the old one, when the host is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from unicorn_handover.errors import NotYet
from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost, id_of
from ..fake_listener import Made
from ..fake_process import Fake
from .remembering import killed, remembering
from .starting import Starting, begin, pid_files, starting_host


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    """Where the pid file is."""
    folder = tmp_path / "pids"
    folder.mkdir()
    return folder


@pytest.fixture
def old(pids: Path, state: Path) -> FakeHost:
    """A host that has started a new master, which boots."""
    host = remembering(starting_host(pids, Made(5, keep_alive=True)), state)
    host.web.survival.note()
    begin(host)
    return host


def masters(host: FakeHost) -> tuple[Fake, Fake]:
    """The old and the new one."""
    section = host.web.supervised
    assert isinstance(section, Starting)
    return host.old, section.started[0]  # type: ignore[attr-defined]


def taken_over(before: FakeHost, pids: Path, state: Path) -> FakeHost:
    """The next host, which has taken the program over."""
    host = killed(before, state)
    host.web.supervised = host.web.beside.starter = Starting(host, pids / "pid")
    found = host.web.survival.find()
    assert found and found.master
    host.web.hold(found.master.pid, lambda: None, found.group)
    host.known.add(found.master.pid)
    host.web.survival.resume(found)
    return host


def test_it_is_known_to_the_next_host(old: FakeHost, pids: Path, state: Path) -> None:
    """It is nobody's child, and takes the old one's place as ever, with its pid file."""
    first, new = masters(old)
    (pids / "pid").write_text(f"{new.pid}\n")
    host = taken_over(old, pids, state)
    beside = host.web.beside
    assert beside.process and beside.process.pid == beside.pid == new.pid and not beside.is_child
    host.drive(Phase.DRAINING, new=id_of(new), server="unicorn")
    master = host.web._masters[0]
    host.kernel.end(first)
    held = host.web.died(master)
    assert held and held.pid == new.pid
    assert pid_files(pids) == {"pid": f"{new.pid}\n"}


def test_it_ends_under_the_next_host(old: FakeHost, pids: Path, state: Path) -> None:
    """The old one gets its pid file back; its workers are orphans in its own group."""
    first, new = masters(old)
    host = taken_over(old, pids, state)
    worker = host.kernel.add(ppid=999, forked=True, words=["unicorn worker"], pgrp=new.pid)
    host.kernel.end(new)
    host.loop.turn()  # type: ignore[attr-defined]
    assert host.web.beside.process is None
    assert pid_files(pids) == {"pid": f"{first.pid}\n"}
    host.wait(host.web.options.drain_timeout + 1)
    assert ("KILL", worker.pid) in host.kernel.signals
    host.web.release()
    assert host.kernel.open_handles == 0


def test_it_has_ended_meanwhile(old: FakeHost, pids: Path, state: Path) -> None:
    """The same, when the next host comes."""
    first, new = masters(old)
    old.kernel.end(new)
    host = taken_over(old, pids, state)
    assert host.web.beside.process is None and host.web.master == id_of(first)
    assert pid_files(pids) == {"pid": f"{first.pid}\n"}


def test_the_old_one_has_ended_meanwhile(old: FakeHost, pids: Path, state: Path) -> None:
    """The new one is the program's, in a group of its own."""
    first, new = masters(old)
    (pids / "pid").write_text(f"{new.pid}\n")
    old.kernel.end(first)
    new.ppid = 999
    host = killed(old, state)
    host.web.supervised = host.web.beside.starter = Starting(host, pids / "pid")
    found = host.web.survival.find()
    assert found and found.master == id_of(new) and found.was_beside and found.group == new.pid
    host.web.hold(new.pid, lambda: None, found.group)
    host.web.survival.resume(found)
    assert host.web.beside.process is None and pid_files(pids) == {"pid": f"{new.pid}\n"}


def killed_in_the_start(pids: Path, state: Path) -> FakeHost:
    """A host that was killed when it had moved the pid file, and before it knew a new master."""
    before = remembering(starting_host(pids, Made(5, keep_alive=True)), state)
    before.web.survival.note()
    section = before.web.supervised
    assert isinstance(section, Starting)
    section.fault = KeyboardInterrupt()  # as abrupt as a kill
    with pytest.raises(KeyboardInterrupt):
        begin(before)
    (pids / "pid").rename(pids / "pid.oldbin")
    return before


def test_killed_before_it_was_started(pids: Path, state: Path) -> None:
    """Its pid file was moved: the next start does that again, and starts one master."""
    before = killed_in_the_start(pids, state)
    before.kernel.listening[before.old.pid] = [Made(5, keep_alive=True)]  # type: ignore[attr-defined]
    host = taken_over(before, pids, state)
    host.old = before.old  # type: ignore[attr-defined]
    running = host.web.handovers.running
    assert running and running.phase is Phase.STARTING and running.new is None
    host.drive(Phase.STARTING, server="unicorn", method="spawn")
    section = host.web.supervised
    assert isinstance(section, Starting) and len(section.started) == 1


def test_it_was_not_started_yet(pids: Path, state: Path) -> None:
    """The driver had asked for it, and asks no second time: the next host starts it."""
    host = remembering(starting_host(pids, Made(5, keep_alive=True)), state)
    section = host.web.supervised
    assert isinstance(section, Starting)
    section.fault = NotYet("in a moment")
    begin(host)
    following = taken_over(host, pids, state)
    following.old = host.old  # type: ignore[attr-defined]
    following.wait(1)
    section = following.web.supervised
    assert isinstance(section, Starting)
    (new,) = section.started
    running = following.web.handovers.running
    assert running and running.new == id_of(new)


def test_killed_before_the_host_knew_of_it(pids: Path, state: Path) -> None:
    """It has remembered itself: the next host ends it, and starts no other one beside it."""
    before = killed_in_the_start(pids, state)
    old: Fake = before.old  # type: ignore[attr-defined]
    new = before.kernel.add(ppid=1, forked=False, words=["unicorn master"])
    moved = {"server": "unicorn", "owner": old.pid, "moved": [str(pids / "pid")]}
    before.web.survival.note_child(id_of(new), moved)
    host = taken_over(before, pids, state)
    assert host.web.beside.pid == new.pid and host.web.master == id_of(old)
    host.drive(Phase.STARTING, server="unicorn", method="spawn")
    assert host.web.handovers.running is None
    assert "has not ended yet" in host.web.handovers.ended[-1].reason
    assert not new.alive
    host.loop.turn()  # type: ignore[attr-defined]
    assert pid_files(pids) == {"pid": f"{old.pid}\n"}
    section = host.web.supervised
    assert isinstance(section, Starting) and not section.started


def test_a_first_master_that_remembered_itself(pids: Path, state: Path) -> None:
    """Its host was killed before it could: the next one knows it, in a group of its own."""
    before = remembering(FakeHost(), state)
    before.web.supervised = before.web.beside.starter = Starting(before, pids / "pid")
    before.web.survival.begins()
    new = before.kernel.add(ppid=1, forked=False, words=["unicorn master"])
    before.web.survival.note_child(id_of(new))
    host = killed(before, state)
    found = host.web.survival.find()
    assert found and found.master == id_of(new) and found.group == new.pid
