"""A new master that the host starts beside the old one: who is told what, and what is left."""

from __future__ import annotations

from pathlib import Path
from signal import SIGQUIT

import pytest

from unicorn_handover.errors import Refused
from unicorn_handover.model.options import Options
from unicorn_handover.model.phases import Phase
from unicorn_handover.servers import SERVERS

from ..fake_host import FakeHost, id_of
from ..fake_listener import Made
from .starting import Starting, begin, pid_files, starting_host


@pytest.fixture
def web_socket() -> Made:
    """What the old master listens on."""
    return Made(5, keep_alive=True)


@pytest.fixture
def host(tmp_path: Path, web_socket: Made) -> FakeHost:
    """A host with a running program, whose section has changed, and a driver."""
    return starting_host(tmp_path, web_socket)


def test_a_changed_section_is_planned_for(host: FakeHost) -> None:
    """The driver is told what speaks for a new start."""
    host.request(host.web)
    (order,) = host.channel.said[-1].orders  # type: ignore[attr-defined]
    assert (order.record.method, order.record.why) == ("auto", "[program:web] was changed")
    assert (order.launch.user, order.next_launch.user) == (None, "changed")


def test_the_new_master_is_started_once_and_named(host: FakeHost, web_socket: Made) -> None:
    """Whatever the driver repeats; the copies are closed as soon as it has them."""
    section = begin(host)
    host.drive(Phase.STARTING, server="unicorn", method="spawn")
    (new,) = section.started
    assert web_socket.closed
    (order,) = host.channel.said[-1].orders  # type: ignore[attr-defined]
    assert order.record.phase is Phase.STARTING and order.record.new == id_of(new)
    assert "handover 1 of web: starting (spawn: [program:web] was changed)" in host.lines[-1]
    assert host.kernel.is_subreaper


def test_it_takes_the_old_ones_place(host: FakeHost, tmp_path: Path) -> None:
    """It is no successor by any other proof; the old pid file is gone, its own stays."""
    new = begin(host).started[0]
    assert pid_files(tmp_path) == {"pid.oldbin": f"{host.old.pid}\n"}  # type: ignore[attr-defined]
    (tmp_path / "pid").write_text(f"{new.pid}\n")
    host.drive(Phase.DRAINING, new=id_of(new))
    host.kernel.end(host.old)  # type: ignore[attr-defined]
    master = host.web._masters[0]
    held = host.web.died(master)
    assert held and held.pid == new.pid
    assert host.kernel.signals[-1] == ("CONT", new.pid)  # a dead driver may have left it stopped
    master.replace(held)
    host.web.adopted(master)
    assert host.web.master == id_of(new) and master.group == new.pid
    host.drive(Phase.DONE, new=id_of(new))
    assert host.web.handovers.ended[-1].succeeded
    assert pid_files(tmp_path) == {"pid": f"{new.pid}\n"}
    assert host.kernel.open_handles == 1


def test_one_that_ends_leaves_everything_as_it_was(host: FakeHost, tmp_path: Path) -> None:
    """The host reaps it; the driver tells that it failed."""
    new = begin(host).started[0]
    host.kernel.end(new)
    host.web.beside.ended()
    assert pid_files(tmp_path) == {"pid": f"{host.old.pid}\n"}  # type: ignore[attr-defined]
    assert host.kernel.open_handles == 1 and host.web.beside.process is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Refused("[program:web] command: no such file"), "[program:web] command: no such file"),
        (ValueError("x"), "ValueError: x"),
    ],
)
def test_a_start_that_fails_ends_the_handover(
    host: FakeHost, tmp_path: Path, web_socket: Made, fault: Exception, reason: str
) -> None:
    """At once and with the reason; the next one may begin."""
    section = host.web.supervised
    assert isinstance(section, Starting)
    section.fault = fault
    begin(host)
    ended = host.web.handovers.ended[-1]
    assert ended.phase is Phase.FAILED and web_socket.closed
    assert ended.reason.partition(" (")[0] == reason
    assert pid_files(tmp_path) == {"pid": f"{host.old.pid}\n"}  # type: ignore[attr-defined]
    assert host.channel.said[-1].orders == []  # type: ignore[attr-defined]
    section.fault = None
    begin(host)
    assert len(section.started) == 1


def test_what_cannot_be_taken_over_is_refused(host: FakeHost) -> None:
    """The kernel's reason is the handover's."""
    host.kernel.denied = "user 1 may not copy the sockets of pid 2: CAP_SYS_PTRACE"
    section = begin(host)
    assert section.started == []
    assert "CAP_SYS_PTRACE" in host.web.handovers.ended[-1].reason


def test_a_start_that_has_to_wait_a_moment_is_tried_again(
    host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the host's loop, and not for a handover that has ended meanwhile."""
    monkeypatch.setattr(SERVERS["unicorn"], "provisional", ".2")
    (tmp_path / "pid").rename(tmp_path / "pid.2")
    section = begin(host)
    host.wait(1)
    assert section.started == [] and host.web.handovers.running
    (tmp_path / "pid.2").rename(tmp_path / "pid")
    host.wait(1)
    assert len(section.started) == 1 and "pid.oldbin" in pid_files(tmp_path)
    host.wait(10)
    assert len(section.started) == 1


def test_a_stop_ends_both(host: FakeHost) -> None:
    """The new master is among those that are held before the signal, and takes over to be ended."""
    new = begin(host).started[0]
    heard: list[str] = []
    new.obey = lambda number: heard.append(number.name)
    master = host.web._masters[0]
    others = host.web.other_masters(master)
    assert [other.pid for other in others] == [new.pid]
    host.web.handovers.cancel("the program was stopped")
    master.end(others, SIGQUIT)
    assert ("KILL", new.pid) in host.kernel.signals or heard == ["SIGQUIT"]


def test_a_second_one_beside_a_failed_one_is_refused(host: FakeHost) -> None:
    """There are never three masters."""
    new = begin(host).started[0]
    host.drive(Phase.KILLING_OLD, new=id_of(new))
    host.drive(Phase.FAILED, new=id_of(new), reason="the old master was killed and does not end")
    section = begin(host)
    assert len(section.started) == 1
    assert f"pid {new.pid}, the new master of an earlier handover" in (
        host.web.handovers.ended[-1].reason
    )


def test_nothing_is_left_held(host: FakeHost) -> None:
    """When the program is managed no more."""
    begin(host)
    host.forget("web", "removed")
    assert host.kernel.open_handles == 0


def test_workers_of_a_dead_new_master_are_looked_after(host: FakeHost) -> None:
    """Its group is its own, so they are not among what the old one leaves."""
    new = begin(host).started[0]
    worker = host.kernel.add(ppid=new.pid, forked=True, words=["unicorn worker[0]"], pgrp=new.pid)
    host.kernel.end(new)
    host.web.beside.ended()
    assert worker.alive and host.web.orphans.mind()
    host.wait(30)  # drain_timeout is 20
    assert not worker.alive


def test_a_new_master_that_outlives_its_handover_is_ended(host: FakeHost) -> None:
    """As after a driver that gave up: first gracefully, for it may be answering requests."""
    new = begin(host).started[0]
    host.ready_worker(new)
    host.drive(Phase.FAILED, new=id_of(new), reason="the driver gave up")
    assert host.kernel.signals == [("QUIT", new.pid), ("CONT", new.pid)]
    host.wait(30)  # drain_timeout is 20
    assert not new.alive


def test_one_whose_old_master_was_told_to_end_is_kept(host: FakeHost) -> None:
    """It is what serves, however long the old one takes."""
    new = begin(host).started[0]
    host.drive(Phase.KILLING_OLD, new=id_of(new))
    host.drive(Phase.FAILED, new=id_of(new), reason="the old master was killed and does not end")
    host.wait(30)
    assert new.alive and host.kernel.signals == []


@pytest.mark.parametrize(
    ("method", "plan"),
    [
        ("auto", ("auto", "[program:web] was changed")),
        ("usr2", ("usr2", "[program:web] was changed")),
        ("spawn", ("spawn", "[program:web] was changed")),
    ],
)
def test_the_option_says_how(host: FakeHost, method: str, plan: tuple[str, str]) -> None:
    """And the section what speaks for a new start; without that, `spawn` speaks for itself."""
    host.web.options = Options(method=method)
    assert host.web.beside.plan() == plan
    host.web.beside.starter.difference = lambda: ""  # type: ignore[union-attr, method-assign]
    assert host.web.beside.plan() == (method, "method = spawn" if method == "spawn" else "")


def test_a_host_that_is_to_start_masters_and_cannot_refuses(host: FakeHost) -> None:
    """At once: it is not waited for until boot_timeout."""
    host.api.options = Options(method="spawn")
    host.start(host.api)
    host.request(host.api)
    host.drive(Phase.STARTING, host.api, server="unicorn")
    assert "set method = auto" in host.api.handovers.ended[-1].reason


def test_a_host_that_cannot_start_masters_plans_for_a_re_exec(host: FakeHost) -> None:
    """The driver is never told to wait for one."""
    host.start(host.api)
    host.request(host.api)
    assert host.api.handovers.running and host.api.handovers.running.method == "usr2"
