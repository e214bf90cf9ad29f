"""What signals mean that reach a runner together: their order is the kernel's, not the senders'."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGALRM, SIGCHLD, SIGHUP, SIGTERM
from types import SimpleNamespace
from typing import Any

import pytest

from foreground_unicorn import host as runner_module
from foreground_unicorn import starts
from foreground_unicorn.host import Runner
from foreground_unicorn.signals import Signals

from ..fake_host import HOST_PID, FakeHost, FakeLoop
from ..fake_process import Fake
from ..fake_unicorn import MASTER_CATCHES
from ..host.remembering import remembering

EXITED, KILLED = 3 << 8, 9  # wait statuses


class Side(FakeHost):
    """A side whose loop hears a list of signals in each turn; CHLD is the end of its master."""

    def __init__(self, turns: list[list[signal.Signals]], status: int) -> None:
        super().__init__()
        self.program, self.started = self.web, list[Fake]()
        self.driver = SimpleNamespace(start=lambda: None)
        self._turns, self._status = turns, status
        self.loop: Any = self.loop
        self.loop.on_signals, self.loop.turn = self._on_signals, self._turn

    def _on_signals(self, numbers: object, call: Callable[[int], None]) -> None:
        self._call = call

    def _turn(self) -> None:
        for number in self._turns.pop(0):
            if number == SIGCHLD:
                self.kernel.end(self.started[-1], self._status)
            self._call(number)
        FakeLoop.turn(self.loop)
        self.wait(1)  # timers come last in a turn

    def start_master(self, *_: object) -> tuple[int, Any]:
        """Start one, which accepts signals."""
        fake = self.kernel.add(ppid=HOST_PID, forked=False, words=["unicorn master"])
        fake.pgrp, fake.catches = fake.pid, set(MASTER_CATCHES)
        self.started.append(fake)
        return fake.pid, SimpleNamespace(open=lambda: None)

    def reaped(self) -> Iterator[tuple[int, int]]:
        """What waitpid(2) finds."""
        return iter([(fake.pid, fake.status) for fake in self.started if not fake.alive])


Run = Callable[..., "tuple[int, Side]"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a runner through these turns, and return its wait status."""

    def run(
        *turns: list[signal.Signals], status: int = KILLED, respawn: bool = False
    ) -> tuple[int, Side]:
        side: Any = remembering(Side(list(turns), status), tmp_path)
        monkeypatch.setattr(starts, "start", side.start_master)
        monkeypatch.setattr(runner_module, "reaped", side.reaped)
        runner = Runner(side, ["unicorn"], respawn)
        Signals(side, runner).hear()
        return runner.run(), side

    return run


@pytest.mark.parametrize("both", [[SIGALRM, SIGTERM], [SIGTERM, SIGALRM]])
def test_a_stop_counts_more_than_a_leave(run: Run, both: list[signal.Signals]) -> None:
    """The runner waits for its master's graceful end, and ends with its status."""
    status, side = run(both, [SIGCHLD], status=EXITED)
    assert status == EXITED
    assert ("QUIT", side.started[0].pid) in side.kernel.signals


@pytest.mark.parametrize("signum", [SIGHUP, SIGALRM])
def test_a_signal_that_comes_with_the_end(run: Run, signum: signal.Signals) -> None:
    """A runner whose program has ended starts it no more, and ends with its status."""
    status, side = run([SIGCHLD, signum])
    assert status == KILLED
    assert len(side.started) == 1


@pytest.mark.parametrize("others", [[], [SIGHUP]])
def test_a_stop_between_two_starts(run: Run, others: list[signal.Signals]) -> None:
    """What was to be started again in the same turn is not, for nobody would supervise it."""
    status, side = run([SIGCHLD, SIGTERM, *others], respawn=True)
    assert status == KILLED
    assert len(side.started) == 1


def test_a_leave(run: Run) -> None:
    """The master runs on, for the next runner."""
    status, side = run([SIGALRM])
    assert status == 0
    assert side.started[0].alive and not side.kernel.signals
