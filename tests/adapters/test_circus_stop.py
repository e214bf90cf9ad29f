"""Managed watchers inside a real arbiter: how they stop, and what stops them."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
from circus.process import UNEXISTING

from circus_unicorn import watcher as watcher_module
from unicorn_handover.model.phases import Phase

from .circusd import Make, allowed, hooked


def test_a_stop_behind_a_kill(make_circusd: Make) -> None:
    """It gives the process the time that it has by itself; nothing is killed before."""
    circusd = make_circusd(web="graceful_timeout = 60")
    master = circusd.master
    os.kill(master, signal.SIGSTOP)
    circusd.web.kill_process(circusd.web.process)
    stop = circusd.command("stop", name="web", waiting=True)
    circusd.turn_until(lambda: circusd.web.is_ending, "the stop is under way")
    os.kill(master, signal.SIGCONT)
    circusd.told(stop)
    assert circusd.web.is_stopped() and "outlived its stop" not in circusd.log
    assert [told["signum"] for told in hooked if told["hook_name"] == "before_signal"] == [3]


def test_a_kill_that_takes_too_long(make_circusd: Make) -> None:
    """A stop behind it waits for its own graceful_timeout, and kills then."""
    circusd = make_circusd(web="graceful_timeout = 0.3")
    os.kill(circusd.master, signal.SIGSTOP)
    circusd.web.kill_process(circusd.web.process, graceful_timeout=600)
    circusd.told(circusd.command("stop", name="web", waiting=True))
    assert circusd.web.is_stopped() and circusd.masters() == []


def test_an_adopted_master_that_crashes(make_circusd: Make) -> None:
    """It is as old as its process, not as its adoption, so another one is started at once."""
    circusd = make_circusd()
    old, new = circusd.master, circusd.re_execute()
    circusd.arbiter.check_delay = 1.0
    circusd.turn_until(lambda: time.time() > psutil.Process(new).create_time() + 1, "age")
    os.kill(old, signal.SIGQUIT)
    circusd.turn_until(lambda: circusd.master == new, "it is adopted")
    os.kill(new, signal.SIGKILL)
    circusd.turn_until(lambda: circusd.master not in (0, old, new), "another master")


def test_what_hooks_are_told_of_an_old_master(make_circusd: Make) -> None:
    """It does not exist any more, and is not running, as of every process that was reaped."""
    circusd = make_circusd()
    old, new = circusd.master, circusd.re_execute()
    os.kill(old, signal.SIGQUIT)
    circusd.turn_until(lambda: circusd.master == new, "it is adopted")
    circusd.turn_until(lambda: hooked, "the hook is called")
    assert hooked[-1]["hook_name"] == "after_reap" and hooked[-1]["process_pid"] == old
    assert hooked[-1]["process_status"] == UNEXISTING and hooked[-1]["exit_code"] == 0


def test_a_signal_that_the_hook_stops(make_circusd: Make) -> None:
    """Nobody gets it, and the handover goes on; one that passes ends both masters, and that."""
    circusd = make_circusd()
    old, new = circusd.master, circusd.re_execute()
    circusd.web.program.handovers.request()
    allowed[:] = [False]
    circusd.command("signal", name="web", signum="QUIT")
    assert circusd.web.program.handovers.running
    assert [told["pid"] for told in hooked] == [old, new]
    allowed[:] = [True]
    circusd.command("signal", name="web", signum="QUIT")
    ended = circusd.web.program.handovers.ended[-1]
    assert ended.phase is Phase.FAILED and ended.reason == "the master was sent SIGQUIT"
    assert [told["pid"] for told in hooked if told["hook_name"] == "before_signal"] == [
        old, new, old, new,
    ]  # fmt: skip
    circusd.turn_until(lambda: not {old, new} & set(circusd.masters()), "both have ended")


class Unkillable:
    """Orphans that nothing ends."""

    hopeless = False

    def left_in(self, *arguments: object) -> list[object]:
        """No other ones."""
        return []

    def keep(self, *arguments: object) -> None:
        """They are kept."""

    def mind(self) -> bool:
        """They are there."""
        return True

    def kill(self) -> None:
        """In vain."""
        self.hopeless = True

    def release(self) -> None:
        """Nothing is held."""


def test_orphans_that_cannot_be_killed(make_circusd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop does not wait for them for ever: circusd's log tells, and takes the next command."""
    monkeypatch.setattr(watcher_module, "HOPELESS", 0.2)
    circusd = make_circusd(web="graceful_timeout = 0.2")
    monkeypatch.setattr(circusd.web.program, "orphans", Unkillable())
    circusd.told(circusd.command("stop", name="web", waiting=True))
    assert circusd.web.is_stopped()
    lines = [line for line in circusd.lines if "was killed and does not end" in line]
    assert len(lines) == 1 and lines[0].startswith("web: ")
