"""Managed watchers inside a real arbiter: given back to Circus."""

from __future__ import annotations

import os
import signal

import pytest
from circus.watcher import Watcher

from circus_unicorn import watcher as watcher_module
from circus_unicorn import workers as workers_module

from .circusd import Circusd, Make


def give_back(circusd: Circusd) -> None:
    """Remove the plugin, as `rm plugin:unicorn` does."""
    circusd.told(circusd.command("rm", name="plugin:unicorn", waiting=True))


def test_given_back_with_a_dead_master(make_circusd: Make) -> None:
    """In Circus's next look the watcher is let go, and another master is started as ever."""
    circusd = make_circusd()
    give_back(circusd)
    old = circusd.master
    os.kill(old, signal.SIGKILL)
    os.waitid(os.P_PID, old, os.WEXITED | os.WNOWAIT)
    circusd.told(circusd.web.manage_processes())
    assert type(circusd.web) is Watcher and len(circusd.web.processes) == 1
    assert circusd.masters() not in ([], [old]) and "Error" not in circusd.log


def test_given_back_while_it_is_at_something(make_circusd: Make) -> None:
    """What was begun before ends quietly: the death of a master, and a change of workers."""
    circusd = make_circusd(plugin="watchers = web\nserver = gunicorn")
    web, process = circusd.web, circusd.web.process
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers_module, "handlers_installed", lambda system, pid: False)
        incr = circusd.command("incr", name="web", waiting=True)
        give_back(circusd)
        circusd.host.look()
        assert type(web) is Watcher
        assert circusd.told(incr) == {"numprocesses": 0}
    late = watcher_module.ManagedWatcher._without_master(web, process, False, 100.0)
    circusd.told(late)
    watcher_module.ManagedWatcher.master_died(web, process)
    assert "Error" not in circusd.log
