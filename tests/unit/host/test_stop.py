"""How a host without a stop of its own ends a program."""

from __future__ import annotations

import signal

import pytest

from unicorn_handover.host.master import Master
from unicorn_handover.host.stop import AGAIN, FORCING, TOGETHER, Stop

from ..fake_host import HOST_PID, FakeHost
from ..fake_process import Fake
from ..fake_unicorn import MASTER_CATCHES


@pytest.fixture
def host() -> FakeHost:
    """A host whose programs obey nothing."""
    return FakeHost()


@pytest.fixture
def fake(host: FakeHost) -> Fake:
    """A master that accepts signals, and its worker."""
    fake = host.kernel.add(ppid=HOST_PID, forked=False, words=["unicorn master"])
    fake.pgrp, fake.catches = fake.pid, set(MASTER_CATCHES)
    host.kernel.add(ppid=fake.pid, forked=True, words=["unicorn worker[0]"], pgrp=fake.pid)
    return fake


@pytest.fixture
def master(host: FakeHost, fake: Fake) -> Master:
    """It, held."""
    return host.web.hold(fake.pid, lambda: None)


@pytest.fixture
def stop(host: FakeHost) -> Stop:
    """Its stop."""
    return Stop(host.web, host.loop)


def sent(host: FakeHost, fake: Fake) -> list[str]:
    """The signals that a process was sent."""
    return [name for name, pid in host.kernel.signals if pid == fake.pid]


def test_each_step_has_its_time(host: FakeHost, fake: Fake, master: Master, stop: Stop) -> None:
    """Gracefully for `drain_timeout`, quickly, then by force; the workers from the second on."""
    worker = host.kernel.processes[host.kernel.children(fake.pid)[0]]
    assert not stop.has_begun
    stop.step(master)
    assert stop.has_begun
    host.wait(19.9)
    assert (sent(host, fake), sent(host, worker)) == (["QUIT"], [])
    host.wait(0.2)
    assert (sent(host, fake), sent(host, worker)) == (["QUIT", "TERM"], ["TERM"])
    host.wait(FORCING)
    assert sent(host, fake) == ["QUIT", "TERM", "KILL"]
    assert not fake.alive
    assert not worker.alive


def test_asking_again_is_the_next_step(
    host: FakeHost, fake: Fake, master: Master, stop: Stop
) -> None:
    """It does not wait for the time of the step before, which does not come on top."""
    stop.step(master)
    stop.step(master)
    assert sent(host, fake) == ["QUIT", "TERM"]
    host.wait(FORCING - 0.1)
    assert sent(host, fake) == ["QUIT", "TERM"]


def test_two_signals_that_mean_one_stop(
    host: FakeHost, fake: Fake, master: Master, stop: Stop
) -> None:
    """A terminal's and its process manager's; the same one again, or a later one, is meant."""
    stop.asked(signal.SIGINT, master)
    stop.asked(signal.SIGTERM, master)
    assert sent(host, fake) == ["QUIT"]
    stop.asked(signal.SIGINT, master)
    assert sent(host, fake) == ["QUIT", "TERM"]
    host.wait(TOGETHER)
    stop.asked(signal.SIGTERM, master)
    assert sent(host, fake) == ["QUIT", "TERM", "KILL"]


def test_a_starting_master(host: FakeHost, fake: Fake, master: Master, stop: Stop) -> None:
    """It has no requests to finish, and may lose a signal."""
    fake.catches = set()
    stop.step(master)
    host.wait(2 * AGAIN + 0.1)
    assert sent(host, fake) == ["TERM", "TERM", "KILL"]


def test_what_is_no_server(host: FakeHost, fake: Fake, master: Master, stop: Stop) -> None:
    """It is given the same times, and TERM."""
    fake.words, fake.catches = ["a-wrapper"], set()
    stop.step(master)
    host.wait(19.9)
    assert sent(host, fake) == ["TERM"]
    host.wait(0.2 + FORCING)
    assert sent(host, fake) == ["TERM", "TERM", "KILL"]


def test_a_new_master_is_ended_too(host: FakeHost, fake: Fake, master: Master, stop: Stop) -> None:
    """Its handover is cancelled before, so that no driver goes on with it."""
    host.web.handovers.request()
    new = host.successor(fake)
    host.ready_worker(new)
    stop.step(master)
    assert sent(host, new) == ["QUIT", "CONT"]
    assert host.published[-1] == ("web", 1, "failed")


def test_one_that_may_not_be_signalled(
    host: FakeHost, fake: Fake, master: Master, stop: Stop
) -> None:
    """It is told of, and the step is taken for all others."""
    first, last = (
        host.kernel.add(ppid=fake.pid, forked=True, words=["unicorn worker[1]"], pgrp=fake.pid)
        for _ in range(2)
    )
    host.kernel.others.add(first.pid)
    stop.step(master)
    stop.step(master)
    assert (sent(host, first), sent(host, last)) == ([], ["TERM"])
    assert [line for line in host.lines if f"may not signal pid {first.pid}" in line]
