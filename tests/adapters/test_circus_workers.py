"""Managed watchers inside a real arbiter: changes of their workers."""

from __future__ import annotations

import os
import signal

import pytest
from circus.exc import ConflictError, MessageError

from circus_unicorn import workers as workers_module

from .circusd import Make


def test_incr_waits_for_a_master_that_boots(
    make_circusd: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as a new one may take, and not only until a signal should have been taken."""
    monkeypatch.setattr(workers_module, "PATIENCE", 0.0)
    circusd = make_circusd(plugin="watchers = web\nserver = gunicorn")
    hears = iter([False] * 10)
    monkeypatch.setattr(workers_module, "handlers_installed", lambda system, pid: next(hears, True))
    assert circusd.told(circusd.command("incr", name="web", waiting=True)) == {"numprocesses": 1}


def test_incr_of_a_stopped_watcher(make_circusd: Make) -> None:
    """It has no workers, and waits for none."""
    circusd = make_circusd(plugin="watchers = web\nboot_timeout = 1000")
    circusd.told(circusd.command("stop", name="web", waiting=True))
    assert circusd.told(circusd.command("incr", name="web", waiting=True)) == {"numprocesses": 0}


def test_incr_of_a_removed_watcher(make_circusd: Make) -> None:
    """It is unknown, in the middle of its end as well."""
    circusd = make_circusd(web="graceful_timeout = 60")
    master = circusd.master
    os.kill(master, signal.SIGSTOP)
    removal = circusd.command("rm", name="web", waiting=True)
    with pytest.raises(MessageError, match="program web not found"):
        circusd.command("incr", name="web")
    os.kill(master, signal.SIGCONT)
    circusd.told(removal)
    with pytest.raises(MessageError, match="program web not found"):
        circusd.command("incr", name="web")


def test_a_refused_set_changes_nothing(make_circusd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Circus is locked, the caller hears that, and no worker is added behind it."""
    circusd = make_circusd()
    asked: list[int] = []
    monkeypatch.setattr(circusd.web._workers, "set", asked.append)
    circusd.arbiter._exclusive_running_command = "arbiter_reload"
    with pytest.raises(ConflictError):
        circusd.command("set", name="web", options={"numprocesses": 3})
    circusd.arbiter._exclusive_running_command = None
    circusd.told(circusd.command("set", name="web", options={"numprocesses": 4}))
    circusd.turn_until(lambda: asked, "workers are set")
    assert asked == [4]
