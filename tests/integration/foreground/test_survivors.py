"""A killed runner: the next one takes its program over, under a real runsv and under load."""

from __future__ import annotations

import itertools
import signal

import pytest

from ...kit.foreground_host import RunsvHost
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..scenes import hand_over, held_request, holding_exec, reach
from .conftest import both

USR2 = ["requested", "re-executing", "booting", "removing"]
SPAWN = ["booting", "draining"]


def lose_runner(host: RunsvHost) -> None:
    """Kill the runner, and wait until the next one has a driver."""
    before = host.pid()
    kill(host.runner())
    wait_until(lambda: host.pid() not in (0, before), "there is another runner")
    wait_until(host.driver_is_there, "it has a driver")


@pytest.fixture(autouse=True)
def outliving(runsv: RunsvHost) -> None:
    """What outlives a runner is no child of the next one."""
    runsv.was_killed = True


@both
def test_it_goes_on(runsv: RunsvHost, web: Program) -> None:
    """The same master, with its pid; then a handover, a crash that is noticed, and a stop."""
    runsv.start()
    master = runsv.master("web")
    with Load(web.address) as load:
        lose_runner(runsv)
        assert runsv.wait_for_rest("web") == master
        lose_runner(runsv)
        assert runsv.wait_for_rest("web") == master
        second = hand_over(runsv)
        lose_runner(runsv)
        assert runsv.wait_for_rest("web") == second
    assert load.failures == []
    runner = runsv.pid()
    kill(look(second))
    wait_until(lambda: f"pid {second} ended by SIGKILL" in runsv.host_log(), "its end is told")
    wait_until(lambda: runsv.pid() not in (0, runner), "there is another runner")
    assert runsv.wait_for_rest("web") != second
    lose_runner(runsv)
    assert runsv.stop("web").ok
    runsv.wait_for_nobody("web")


@pytest.mark.parametrize(
    ("method", "phase"),
    [*itertools.product(["usr2"], USR2), *itertools.product(["spawn"], SPAWN)],
)
def test_a_handover_goes_on(runsv: RunsvHost, web: Program, method: str, phase: str) -> None:
    """Killed in any phase, twice: the next runner's driver finishes it or backs it out, once."""
    runsv.options["method"] = method
    if phase == "re-executing":
        holding_exec(web)
    runsv.start()
    first = runsv.master("web")
    with Load(web.address) as load:
        request = reach(runsv, phase)
        lose_runner(runsv)
        lose_runner(runsv)
        web.exec_gate.touch()
        web.open_gate()
        last = runsv.wait_for_rest("web")
        assert request is None or request.answer().outcome == "ok"
    ended = runsv.ended("web")
    assert load.failures == []
    assert [(record["number"], record["phase"]) for record in ended] == [
        (1, "failed" if phase == "removing" else "done")
    ]
    assert (last == first) == (phase == "removing")


def test_a_soak(runsv: RunsvHost, web: Program) -> None:
    """It is rolled back or promoted by command under the next runner."""
    web.preload = True
    web.write("v1")
    runsv.options["soak"] = "60"
    runsv.start()
    first = runsv.master("web")
    with Load(web.address) as load:
        for command in ("rollback", "promote"):
            web.write(f"after-{command}")
            assert runsv.restart(wait=False).ok
            runsv.wait_for_phase("web", "soaking")
            lose_runner(runsv)
            assert runsv.phase("web") == "soaking"
            assert runsv.command(command).ok
            assert (runsv.wait_for_rest("web") == first) == (command == "rollback")
    assert load.failures == []
    assert web.answers("after-promote")


@pytest.mark.parametrize("web", ["gunicorn"], indirect=True)
def test_a_new_master_that_dies_with_its_runner(runsv: RunsvHost, web: Program) -> None:
    """The handover has failed, and its workers are told to end: they would serve on for long."""
    runsv.start()
    first = runsv.master("web")
    with Load(web.address) as load:
        reach(runsv, "booting")
        new, before = runsv.new_master("web"), runsv.pid()
        kill(runsv.runner())
        kill(new)
        web.open_gate()
        wait_until(lambda: runsv.pid() not in (0, before), "there is another runner")
        assert runsv.wait_for_rest("web") == first
    assert load.failures == []
    (ended,) = runsv.ended("web")
    assert "ended before its workers were ready" in ended["reason"]  # type: ignore[operator]


def test_a_crash_with_respawn(runsv: RunsvHost, web: Program) -> None:
    """The next runner holds the sockets, so a crash of what it took over refuses nothing."""
    web.restarted = True
    runsv.start()
    master, held = runsv.master("web"), "is held, so that a crash"
    wait_until(lambda: held in runsv.host_log(), "they are held")
    lose_runner(runsv)
    wait_until(lambda: runsv.host_log().count(held) > 1, "they are held again")
    runner = runsv.pid()
    with Load(web.address) as load:
        kill(look(master))
        wait_until(lambda: runsv.master("web") not in (0, master), "another master is started")
        runsv.wait_for_rest("web")
    assert load.failures == []
    assert runsv.pid() == runner


def test_a_stop_goes_on(runsv: RunsvHost, web: Program) -> None:
    """What was being stopped is not served again by the runner that runsv starts meanwhile."""
    runsv.start()
    master = look(runsv.master("web"))
    request = held_request(web)
    runsv.signal_runner(signal.SIGTERM)
    wait_until(lambda: len(runsv.workers("web")) == 1, "the idle worker has ended")
    before = runsv.pid()
    kill(runsv.runner())
    wait_until(lambda: runsv.pid() not in (0, before), "there is another runner")
    web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: master and look(master.pid) is None, "the master has ended")
    runsv.wait_for_rest("web")


def test_killed_while_it_starts(runsv: RunsvHost, web: Program) -> None:
    """A master that loads the application is not started a second time."""
    web.preload = True
    web.write("v1", "gated")
    runsv.launch()
    wait_until(lambda: web.began_to_load("v1"), "it loads")
    master = runsv.master("web")
    lose_runner(runsv)
    web.open_gate()
    wait_until(web.answers, "it serves")
    assert runsv.wait_for_rest("web") == master
