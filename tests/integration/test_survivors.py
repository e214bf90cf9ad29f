"""The host is killed, and started again: its programs go on."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..kit.circus_host import CircusHost
from ..kit.host import Host
from ..kit.load import Load
from ..kit.processes import alive, end, kill, look
from ..kit.programs import Program
from ..waiting import wait_until
from .conftest import CROSSED, PAIRS, MakeHost
from .scenes import hand_over, holding_exec, reach


def begun(host: Host, web: Program) -> int:
    """Start a host, and return its program's master."""
    host.start()
    return host.master(web.name)


@PAIRS
def test_the_same_master_goes_on(make_host: MakeHost, folder: Path, server: str) -> None:
    """kill -9 of the host and a new start lose no request and no log line; all commands work."""
    web = Program(folder, server=server, host_options={})
    host = make_host(web)
    master = begun(host, web)
    with Load(web.address) as load:
        host.kill_and_start_again()
        wait_until(lambda: host.state("web") == "running", "it runs")
        assert host.master("web") == master
        assert host.signal("web", "TTIN").ok
        wait_until(lambda: len(host.workers("web")) == 3, "a worker more")
        assert host.signal("web", "TTOU").ok
        wait_until(lambda: len(host.workers("web")) == 2, "a worker less")
    assert not load.failures
    web.ask("/print/still-logged")
    wait_until(lambda: "still-logged" in host.log("web"), "what it prints is logged")
    wait_until(lambda: "err-still-logged" in host.log("web"), "on both channels")
    assert host.stop("web").ok
    host.wait_for_nobody("web")
    assert host.begin("web").ok
    wait_until(lambda: host.at_rest("web"), "it is started again")
    hand_over(host)


def test_its_end_is_seen_with_its_status(make_host: MakeHost, folder: Path) -> None:
    """A survivor that is killed is started again, on its sockets, and how it ended is logged."""
    web = Program(folder)
    host = make_host(web)
    master = begun(host, web)
    wait_until(lambda: "is held" in host.host_log(), "its sockets are held")
    held = host.host_log().count("is held")
    host.kill_and_start_again()
    wait_until(lambda: host.host_log().count("is held") > held, "its sockets are held again")
    with Load(web.address) as load, told_of_its_end(host) as is_told:
        end(look(master))
        wait_until(lambda: host.at_rest("web"), "it is started again")
        wait_until(is_told, "it is told that SIGKILL has ended it")
    assert not load.failures
    assert host.master("web") != master


@contextlib.contextmanager
def told_of_its_end(host: Host) -> Iterator[Callable[[], bool]]:
    """Yield what says whether the host has told, in its own way, that SIGKILL has ended web."""
    if isinstance(host, CircusHost):
        with host.events("watcher.web.reap") as events:
            yield lambda: [event.message["exit_code"] for event in events] == [-signal.SIGKILL]
    else:
        yield lambda: "web (terminated by SIGKILL" in host.host_log()


@CROSSED
def test_a_restart_of_a_survivor(make_host: MakeHost, folder: Path, server: str) -> None:
    """It is handed over as ever, twice; the master in between is no child of the host either."""
    web = Program(folder, server=server)
    host = make_host(web)
    begun(host, web)
    host.kill_and_start_again()
    with Load(web.address) as load:
        for release in ("v2", "v3"):
            web.write(release)
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            assert web.answers(release)
    assert not load.failures
    wait_until(lambda: len(host.masters("web")) == 1, "one master is left")
    assert host.masters("web")[0].pid == host.master("web")


# Where a host ends, the kernel sends HUP to the groups of its children that hold a stopped process
# (setpgid(2)). "removing" stops the new master, so it is for one that has a group of its own.
EARLY = ("requested", "re-executing")
CASES = [
    *(("supervisor", "usr2", phase) for phase in (*EARLY, "booting", "soaking", "draining")),
    *(("supervisor", "spawn", phase) for phase in ("booting", "soaking", "draining", "removing")),
    *(("circus", "usr2", phase) for phase in ("booting", "draining")),
    *(("circus", "spawn", phase) for phase in ("booting", "removing")),
]


@pytest.mark.parametrize(("host_class", "method", "phase"), CASES, indirect=["host_class"])
def test_in_each_phase_of_a_handover(
    make_host: MakeHost, folder: Path, method: str, phase: str
) -> None:
    """The next host's driver goes on with it, or backs it out; one family is left."""
    web = Program(folder, server="unicorn" if method == "usr2" else "gunicorn")
    if phase == "re-executing":
        holding_exec(web)
    host = make_host(web, options={"method": method, "soak": "3" if phase == "soaking" else "0"})
    begun(host, web)
    with Load(web.address) as load:
        request = reach(host, phase)
        driver = look(host.driver())
        host.kill_and_start_again()
        if driver:
            kill(driver, signal.SIGCONT)  # where it was stopped, in a session of its own
            wait_until(lambda: not alive(driver), "the driver of the killed host has ended")
        web.open_gate()
        wait_until(lambda: host.phase("web") == "idle", "the handover has ended")
        wait_until(lambda: host.at_rest("web"), "one family is left")
    assert not load.failures
    assert not request or request.answer().outcome == "ok"
    (ended,) = host.ended("web")
    assert (ended["phase"] == "done") == (phase != "removing"), ended
    assert ended["number"] == 1
    assert web.answers("v1" if phase == "removing" else "v2")
    assert web.pid_in_file() == host.master("web")
    hand_over(host, release="v3")


@pytest.mark.parametrize("way", ["shutdown", "reload"])
def test_leave(make_host: MakeHost, folder: Path, way: str) -> None:
    """One that is to be left runs on at the next end of its host, without a lost request."""
    web, other = Program(folder), Program(folder, name="other", server="gunicorn")
    host = make_host(web, other)
    master, others = begun(host, web), host.master("other")
    outcome = host.leave("web")
    assert outcome.ok, outcome.text
    with Load(web.address) as load:
        host.end_and_start_again(way)
        wait_until(lambda: host.state("web") == "running", "it runs")
        assert host.master("web") == master
        wait_until(lambda: host.master("other") not in (0, others), "the other one is another")
        wait_until(lambda: host.at_rest("other"), "it is one family")
    assert not load.failures
    web.ask("/print/still-logged")
    wait_until(lambda: "still-logged" in host.log("web"), "what it prints is logged")
    host.end_and_start_again(way)
    wait_until(lambda: host.master("web") not in (0, master), "it is another one now")
    wait_until(lambda: host.at_rest("web"), "it is one family")
