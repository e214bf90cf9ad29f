"""A process that circusd did not start itself is one as circusd knows them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from circus_unicorn.process import AdoptedWorker
from circus_unicorn.watcher import ManagedWatcher


@pytest.fixture
def pid() -> Iterator[int]:
    """A child that nobody has reaped."""
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "kill -STOP $$; exit 3"], os.environ)
    yield child
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def ended(worker: AdoptedWorker) -> int | None:
    """Poll until it has ended."""
    deadline = time.monotonic() + 60
    while worker.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return worker.returncode


def test_it_lives_until_it_has_ended(pid: int) -> None:
    """poll tells None while it lives, then the exit code, again and again."""
    worker = AdoptedWorker(pid, None, None)
    assert worker.poll() is None and worker.returncode is None
    while worker.status() != "stopped":
        time.sleep(0.01)
    worker.send_signal(signal.SIGCONT)
    assert ended(worker) == 3 and worker.poll() == 3


def test_a_signal_is_a_negative_exit_code(pid: int) -> None:
    """As `subprocess.Popen` and Circus's `reap` event have it."""
    worker = AdoptedWorker(pid, None, None)
    worker.send_signal(signal.SIGKILL)
    assert ended(worker) == -signal.SIGKILL


def test_somebody_else_has_reaped_it(pid: int) -> None:
    """Then it has ended, whatever the code was."""
    worker = AdoptedWorker(pid, None, None)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert worker.poll() == 0


def test_it_has_the_streams_it_is_given() -> None:
    """The pipes of the process before it."""
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as process:
        worker = AdoptedWorker(os.getpid(), process.stdout, None)
        assert worker.stdout is process.stdout and worker.stderr is None


def test_statistics_are_of_the_master_of_the_moment() -> None:
    """Not under the pid of one whose death is noticed just when they are asked for."""

    class Dying:
        pid = 10

        def adopt_if_dead(self) -> None:
            self.pid = 20

        def info(self) -> str:
            self.adopt_if_dead()
            return f"of {self.pid}"

    watcher = ManagedWatcher("web", "true")
    watcher.processes = {10: Dying()}
    assert watcher.info() == {20: "of 20"}
