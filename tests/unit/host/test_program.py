"""A supervised program: who follows a dead master, what is ended, and what is logged."""

from __future__ import annotations

from signal import SIGABRT, SIGKILL, SIGQUIT, SIGTERM
from unittest.mock import Mock

import pytest

from unicorn_handover.host.orphans import HOPELESS
from unicorn_handover.kernel.system import System
from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost, id_of
from ..fake_process import Fake


@pytest.fixture
def host() -> FakeHost:
    """A host whose program "web" is not started yet."""
    return FakeHost()


def started(host: FakeHost) -> tuple[Fake, list[str]]:
    """Start web's master; the list fills when the host is called for its death."""
    fake = host.kernel.add(ppid=1, forked=False, words=["unicorn master"])
    fake.pgrp = fake.pid
    host.known.add(fake.pid)
    return fake, []


def test_a_death_is_told_once(host: FakeHost) -> None:
    """A pidfd stays readable: it is left as soon as the death was seen."""
    fake, deaths = started(host)
    master = host.web.hold(fake.pid, lambda: deaths.append("died"))
    host.loop.turn()  # type: ignore[attr-defined]
    assert deaths == [] and master.id == host.web.master == id_of(fake)
    host.kernel.end(fake)
    for _ in range(2):
        host.loop.turn()  # type: ignore[attr-defined]
        master.look()
    assert deaths == ["died"] and host.web.master is None and host.kernel.open_handles == 0


def test_one_that_died_before_it_was_held(host: FakeHost) -> None:
    """The loop tells of it in its next turn."""
    deaths: list[str] = []
    host.web.hold(4711, lambda: deaths.append("died"))
    assert deaths == []
    host.wait(0.1)
    assert deaths == ["died"] and host.web.master is None


def test_the_successor_takes_the_place(host: FakeHost) -> None:
    """It is a child of the host by now, in the group of the first master, and is watched."""
    fake, deaths = started(host)
    master = host.web.hold(fake.pid, lambda: deaths.append("died"))
    host.request(host.web)
    new = host.successor(fake)
    host.drive(Phase.DRAINING, new=id_of(new))
    host.kernel.end(fake)
    held = host.web.died(master)
    assert held and held.pid == new.pid
    master.replace(held)
    host.web.adopted(master)
    assert host.web.master == id_of(new) and master.group == fake.pid
    assert host.web.handovers.ended[-1].succeeded
    host.kernel.end(new)
    host.loop.turn()  # type: ignore[attr-defined]
    assert deaths == ["died"] and host.web.died(master) is None
    assert host.kernel.open_handles == 0


@pytest.mark.parametrize(("phase", "killed"), [(Phase.SOAKING, True), (Phase.DRAINING, False)])
def test_the_workers_of_one_that_was_killed_beside_its_successor(
    host: FakeHost, phase: Phase, killed: bool
) -> None:
    """They would serve on with the old release; what the application has started stays.

    One that was told to end has waited for its workers: what looks like one is a worker's child.
    """
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    host.request(host.web)
    new = host.successor(fake)
    host.drive(phase, new=id_of(new))
    forks = {"ppid": fake.pid, "forked": True, "words": ["gunicorn: worker"], "pgrp": fake.pid}
    worker = host.kernel.add(heartbeats={1: (5.0, 1)}, catches={SIGABRT}, **forks)
    host.kernel.add(**forks)
    host.kernel.end(fake)
    held = host.web.died(master)
    assert held and held.pid == new.pid
    assert host.kernel.signals == ([("TERM", worker.pid)] if killed else [])
    assert host.web.orphans.ids == ([id_of(worker)] if killed else [])


def test_a_stranger_is_no_successor(host: FakeHost) -> None:
    """Neither a child of another group, nor a process that is some program's already."""
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    other, known = host.successor(fake), host.successor(fake)
    other.pgrp = 4711
    host.known.add(known.pid)
    host.kernel.end(fake)
    assert host.web.died(master) is None and host.kernel.open_handles == 0


def test_what_is_left_is_looked_after_until_it_is_gone(host: FakeHost) -> None:
    """Workers have drain_timeout; there is one timer, and none when they are gone."""
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    worker = host.kernel.add(ppid=fake.pid, forked=True, words=["unicorn"], pgrp=fake.pid)
    host.kernel.end(fake)
    timers = host.loop.timers  # type: ignore[attr-defined]
    for _ in range(3):
        assert host.web.died(master) is None
        assert len(timers) == 1
    host.wait(19)
    assert worker.alive and len(timers) == 1
    host.wait(2)
    assert not worker.alive and timers == [] and host.kernel.open_handles == 0
    assert host.lines == [f"web: killing pid {worker.pid}, left behind by a dead master"]


def test_one_that_cannot_be_killed_is_looked_at_rarely(host: FakeHost) -> None:
    """It waits in the kernel. Once the program is not managed any more nobody looks."""
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    worker = host.kernel.add(ppid=fake.pid, forked=True, words=["unicorn"], pgrp=fake.pid)
    host.kernel.unkillable.add(worker.pid)
    host.kernel.end(fake)
    host.web.died(master)
    host.web.orphans.kill()
    host.wait(0.2)
    assert host.web.orphans.hopeless
    looks = host.kernel.later
    host.kernel.later = lambda seconds, act: (times.append(seconds), looks(seconds, act))  # type: ignore[assignment, func-returns-value]
    times: list[float] = []
    host.wait(2 * HOPELESS)
    assert set(times) == {HOPELESS}
    host.web.release()
    assert host.loop.timers == []  # type: ignore[attr-defined]


def test_all_masters_and_workers_are_ended(host: FakeHost) -> None:
    """A new master that serves gets the signal itself."""
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    new = host.successor(fake)
    worker = host.ready_worker(new)
    others, workers = host.web.other_masters(master), host.web.workers(master)
    assert [o.pid for o in others] == [new.pid] and [w.pid for w in workers] == [worker.pid]
    master.end(others, SIGQUIT)
    master.signal(workers, SIGKILL)
    for held in workers:
        held.close()
    sent = [(name, pid) for name, pid in host.kernel.signals if name != "CONT"]
    assert sent == [("QUIT", new.pid), ("KILL", worker.pid)]
    host.web.release()
    assert host.kernel.open_handles == 0


def test_a_group_is_signalled_while_its_number_is_proven(host: FakeHost) -> None:
    """Not when the master has left it, or is reaped: then the number may be a stranger's."""
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    master.signal_group(SIGTERM)
    assert host.kernel.signals == [("TERM", fake.pid)]
    stranger = host.kernel.add(ppid=1, forked=False, words=[], pgrp=fake.pid)
    fake.pgrp = 4711
    master.signal_group(SIGTERM)
    host.kernel.end(fake)
    master.signal_group(SIGTERM)
    assert len(host.kernel.signals) == 1 and stranger.alive


@pytest.mark.parametrize("group", [0, 1])
def test_a_group_that_no_host_has_made_is_not_signalled(host: FakeHost, group: int) -> None:
    """0 would be the host's own group, and 1 that of a container's first process."""
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    fake.pgrp = master.group = group
    master.signal_group(SIGTERM)
    assert host.kernel.signals == [] and host.lines == []
    with pytest.raises(ValueError, match=f"group {group} "):
        System().signal_group(group, SIGTERM)


@pytest.mark.parametrize("stopped", [True, False])
def test_what_has_the_sockets_of_a_stopped_program_ends_with_it(
    host: FakeHost, stopped: bool
) -> None:
    """Whatever it is. After a crash it may be the next master, in the eyes of nobody yet."""
    host.kernel.listening_inodes = frozenset({7})
    fake, _ = started(host)
    fake.inodes = {7}
    master = host.web.hold(fake.pid, lambda: None)
    runner = host.kernel.add(ppid=fake.pid, forked=False, words=["runner"], inodes={7})
    other = host.kernel.add(ppid=fake.pid, forked=False, words=["other"], inodes={8})
    assert host.web.other_masters(master) == []
    if stopped:
        assert host.web.other_masters(master, ending=True) == []
    host.kernel.end(fake)
    assert host.web.died(master) is None
    assert runner.alive is not stopped and other.alive
    host.wait(0.2)
    assert host.kernel.open_handles == 0


def test_an_error_of_ours_is_logged_and_none_of_the_host_s(host: FakeHost) -> None:
    """Whatever fails, the host gets an answer that lets it do as it does by itself."""
    fake, _ = started(host)
    master = host.web.hold(fake.pid, lambda: None)
    host.kernel.own_children = host.kernel.children = None  # type: ignore[assignment]
    assert host.web.died(master) is None
    assert not host.web.other_masters(master) and not host.web.workers(master)
    assert [line.partition(" failed: TypeError: ")[0] for line in host.lines[:2]] == [
        "web: Program.died", "web: Master.others",
    ]  # fmt: skip


def test_where_no_process_may_become_a_subreaper(host: FakeHost) -> None:
    """The program is started all the same, and one line says what that costs."""

    def refused() -> None:
        raise PermissionError(1, "Operation not permitted")

    host.kernel.become_subreaper = refused  # type: ignore[method-assign]
    host.web.begins()
    (line,) = host.lines
    assert "cannot become a subreaper ([Errno 1] Operation not permitted)" in line


def test_no_record_is_lost_for_an_error_beside_it(host: FakeHost) -> None:
    """Output that cannot be read, or an adoption that fails, do not keep one from its end."""
    fake, _ = started(host)
    host.web.hold(fake.pid, lambda: None)
    host.web.output.excerpts = Mock(side_effect=OSError("no"))  # type: ignore[method-assign]
    host.request(host.web)
    host.drive(Phase.RE_EXECUTING, signalled=1.0)
    host.kernel.end(fake)
    host.drive(Phase.FAILED, reason="it failed")
    record = host.web.handovers.find(1)
    assert record and record.phase is Phase.FAILED and record.reason == "it failed"
    assert len([line for line in host.lines if "OSError" in line]) == 2


def test_a_dead_master_is_seen_before_the_next_handover_begins(host: FakeHost) -> None:
    """The driver knows of its death first, and what is queued is of the master that is adopted."""
    fake, _ = started(host)
    new = host.successor(fake)

    def adopt() -> None:
        held = host.web.died(master)
        assert held
        master.replace(held)
        host.web.adopted(master)

    master = host.web.hold(fake.pid, adopt)
    host.web.supervised.adopt_if_dead = master.look  # type: ignore[method-assign]
    host.request(host.web)
    host.drive(Phase.BOOTING, new=id_of(new))
    host.request(host.web)
    host.kernel.end(fake)
    host.drive(Phase.FAILED, reason="the old master ended", new=id_of(new))
    assert host.web.handovers.running and host.web.handovers.running.old == id_of(new)


def test_a_stop_signal_is_warned_of_when_the_program_shows_its_server(host: FakeHost) -> None:
    """A process that has only been forked when it counts as started is looked at again."""
    fake = host.start(host.web, ["supervisord", "-n"])
    host.web.stop_signal.begin(lambda: ("[program:web] stopsignal", 15))
    host.tick()
    assert host.lines == []
    fake.words = ["ruby", "/usr/bin/unicorn", "-c", "unicorn.rb"]
    for _ in range(2):
        host.tick()
    assert host.lines == [
        "[program:web] stopsignal: TERM makes unicorn cut its requests at every stop; "
        "set stopsignal = QUIT"
    ]


def test_the_cause_is_told_when_both_masters_have_ended(host: FakeHost) -> None:
    """The host may see that before the driver does: then nobody else has it."""
    host.start(host.web)
    host.request(host.web)
    host.drive(Phase.DRAINING)
    host.web.output.add("stderr", b"OSError: broken\n")
    host.web.lost()
    ended = host.web.handovers.ended[-1]
    assert ended.reason == "the program ended" and ended.output == ("OSError: broken",)
