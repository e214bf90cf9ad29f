"""The driver may be stopped or killed at any moment: nothing is lost, and nothing done twice."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from ..kit.host import Host
from ..kit.load import Load
from ..kit.processes import awaits, kill, look
from ..kit.programs import Program
from ..waiting import Later, stays, wait_until
from .conftest import ON_CIRCUS, ON_SUPERVISOR, MakeHost
from .scenes import hand_over, holding_exec, reach

ROOT = Path(__file__).parents[2]


def lose_driver(host: Host, way: str) -> int:
    """Kill the driver, or stop it and start it again; return the pid of the next one."""
    before = host.driver()
    if way == "killed":
        kill(look(before))
    else:
        host.stop_driver()
        assert host.driver() == 0
        host.begin_driver()
    wait_until(lambda: host.driver() not in (0, before), "the next driver is there")
    return host.driver()


@pytest.mark.parametrize(
    ("host_class", "server", "phase", "way"),
    [
        ("supervisor", "unicorn", "requested", "killed"),
        ("circus", "gunicorn", "re-executing", "killed"),
        ("circus", "gunicorn", "booting", "killed"),
        ("supervisor", "gunicorn", "removing", "killed"),
        ("supervisor", "unicorn", "draining", "stopped"),
        ("circus", "gunicorn", "booting", "stopped"),
    ],
    indirect=["host_class"],
)
def test_another_driver_goes_on(
    make_host: MakeHost, folder: Path, server: str, phase: str, way: str
) -> None:
    """A handover that lost its driver is finished, or backed out, by the next one, once."""
    web = Program(folder, server=server)
    if phase == "re-executing":
        holding_exec(web)
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        request = reach(host, phase)
        lose_driver(host, way)
        web.open_gate()
        last = host.wait_for_rest("web")
        assert request is None or request.answer().outcome == "ok"
    ended = host.ended("web")
    assert [record["number"] for record in ended] == [1]
    assert ended[0]["phase"] == ("failed" if phase == "removing" else "done")
    assert (last == first) == (phase == "removing")
    assert load.failures == []
    hand_over(host, release="v3")


@ON_SUPERVISOR
def test_a_re_exec_that_failed_between_two_looks(make_host: MakeHost, folder: Path) -> None:
    """The old master's failed child lives for milliseconds, and is told of if nobody saw it."""
    web = Program(folder)
    web.settings += "\nbefore_exec { |server| raise 'not today' }\n"
    web.write("v1")
    host = make_host(web)
    host.start()
    first, driver = look(host.master("web")), look(host.driver())
    kill(first, signal.SIGSTOP)
    assert host.restart("web", wait=False).ok
    wait_until(lambda: awaits(first, signal.SIGUSR2), "USR2 was sent")
    kill(driver, signal.SIGSTOP)
    kill(first, signal.SIGCONT)
    wait_until(lambda: "exec()-ed" in host.log("web"), "the failed child has been reaped")
    kill(driver, signal.SIGCONT)
    assert host.wait_for_rest("web") == first.pid and web.answers("v1")
    (ended,) = host.ended("web")
    assert "could not re-execute itself" in ended["reason"]


def test_a_waiting_caller_outlives_the_driver(make_host: MakeHost, folder: Path) -> None:
    """Who waits for a handover gets its outcome though the driver was killed meanwhile."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    web.write("v2", "gated")
    caller = Later(lambda: host.restart("web"))
    host.wait_for_phase("web", "booting")
    lose_driver(host, "killed")
    web.open_gate()
    assert caller.result().ok and web.answers("v2")
    host.wait_for_rest("web")


def test_a_stopped_driver_refuses_restarts(make_host: MakeHost, folder: Path) -> None:
    """While an operator keeps the driver stopped, restart says so at once; nothing is signalled."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    first = host.master("web")
    host.stop_driver()
    outcome = host.restart("web")
    assert not outcome.ok and "driver" in outcome.text and "not running" in outcome.text
    assert host.wait_for_rest("web") == first and host.ended("web") == []
    host.begin_driver()
    hand_over(host)


def test_a_caller_is_told_that_the_driver_stays_away(make_host: MakeHost, folder: Path) -> None:
    """Who waits is told when the driver does not come back; the handover goes on when it does."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    first = host.master("web")
    web.write("v2", "gated")
    caller = Later(lambda: host.restart("web"))
    host.wait_for_phase("web", "booting")
    host.stop_driver()
    outcome = caller.result()
    assert not outcome.ok and "not running" in outcome.text and "booting" in outcome.text
    assert host.phase("web") == "booting" and host.master("web") == first
    web.open_gate()
    stays(lambda: host.master("web") == first, "the old master is the program's")
    host.begin_driver()
    assert host.wait_for_rest("web") != first and web.answers("v2")


@pytest.mark.parametrize(
    ("host_class", "server", "phase"),
    [("supervisor", "unicorn", "booting"), ("circus", "gunicorn", "draining")],
    indirect=["host_class"],
)
def test_one_more_handover_follows(
    make_host: MakeHost, folder: Path, server: str, phase: str
) -> None:
    """However many restarts are asked for during one, exactly one more follows, and waited for."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    request = reach(host, phase)
    callers = [Later(lambda: host.restart("web"))]
    wait_until(lambda: host.following("web") == 2, "another one is to follow")
    for _ in range(3):  # by now they have asked: a caller that asks later gets one more
        assert host.restart("web", wait=False).ok
    web.write("v3")
    web.open_gate()
    outcomes = [caller.result() for caller in callers]
    assert all(outcome.ok for outcome in outcomes), outcomes
    host.wait_for_rest("web")
    assert web.answers("v3") and [record["number"] for record in host.ended("web")] == [1, 2]
    assert request is None or request.answer().outcome == "ok"


@ON_CIRCUS
def test_a_failed_handover_is_followed_too(make_host: MakeHost, folder: Path) -> None:
    """A restart asked for while a bad release is tried is not lost when that is backed out."""
    web = Program(folder, preload=True)
    host = make_host(web)
    host.start()
    web.write("v2", "gated", "raises")
    assert host.restart("web", wait=False).ok
    wait_until(lambda: web.began_to_load("v2"), "the bad release is read")
    caller = Later(lambda: host.restart("web"))
    wait_until(lambda: host.following("web") == 2, "another one is to follow")
    web.write("v3")
    web.open_gate()
    assert caller.result().ok
    host.wait_for_rest("web")
    assert [record["phase"] for record in host.ended("web")] == ["failed", "done"]


PACKAGES = ("unicorn_handover", "supervisor_unicorn", "circus_unicorn")


def test_a_driver_of_another_version_is_told_of(make_host: MakeHost, folder: Path) -> None:
    """After an upgrade the next driver is newer than its host: in the log and in the status."""
    copy = folder / "installed"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package)
    host = make_host(Program(folder))
    host.mark["PYTHONPATH"] = str(copy)
    host.is_forked = False  # for a Python reads that when it starts
    host.start()
    assert host.status("web")["warning"] == "" and "is of version" not in host.host_log()
    version = copy / "unicorn_handover" / "_version.py"
    version.write_text('__version__ = "99.0.0"\n')
    lose_driver(host, "killed")
    line = "the driver is of version 99.0.0 and its host of "
    wait_until(lambda: line in host.status("web")["warning"], "the status says so")
    assert line in host.host_log()
    hand_over(host)
