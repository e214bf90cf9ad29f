"""The way back: the soak, the check, rollback and promote, under load on every host and server."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ..waiting import Later, stays, wait_until
from .conftest import PAIRS, MakeHost
from .load import Load, Request
from .processes import alive, children, kill, look
from .programs import Program
from .scenes import held_request, reach, without_regular_looks

LONG = "3600"  # seconds of a soak that a test ends itself


def _check_of(program: Program) -> str:
    if program.unix:
        return f"unix:{program.address}:/"
    return f"http://127.0.0.1:{program.port}/"


def _accepted(program: Program) -> int:
    """How many connections a worker has accepted."""
    return sum(inode != "0" for inode in _connections(program))


def _waiting(program: Program) -> int:
    """How many connections no worker has accepted yet."""
    return sum(inode == "0" for inode in _connections(program))


def _connections(program: Program) -> list[str]:
    """The inodes of the server's ends of its open connections, on TCP."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file]
    mine = f"0100007F:{program.port:04X}"
    return [row[9] for row in rows if row[1] == mine and row[3] == "01"]


@PAIRS
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_soak_under_load(make_host: MakeHost, folder: Path, server: str, unix: bool) -> None:
    """A soak of 1 s with a check fails no request, and ends in the new release."""
    web = Program(folder, server=server, unix=unix)
    host = make_host(web, options={"soak": "1", "check": _check_of(web)})
    host.start()
    first = host.master("web")
    web.write("v2")
    with Load(web.address) as load:
        outcome = host.restart("web")
        assert outcome.ok, outcome.text
        second = host.wait_for_rest("web")
    assert second != first and load.failures == [] and web.ask().release == "v2"


def test_only_the_new_release_serves_in_the_soak(make_host: MakeHost, folder: Path) -> None:
    """A unicorn that preloads has no old workers in the soak; it keeps the program's pid."""
    web = Program(folder, server="unicorn", preload=True)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    reach(host, "soaking")
    wait_until(lambda: not host.workers("web"), "the old workers have gone")
    with Load(web.address) as load:
        wait_until(lambda: len(load.answers) > 30, "some answers")
    assert load.releases() == {"v2"} and load.failures == []
    assert host.master("web") == first and host.state("web") in ("running", "active")


@PAIRS
@pytest.mark.parametrize("traffic", [True, False], ids=["traffic", "quiet"])
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_sick_release_is_backed_out(
    make_host: MakeHost, folder: Path, server: str, unix: bool, traffic: bool
) -> None:
    """A release that boots and answers 500 fails its check; the old one is back, at full strength.

    Where both releases serve in the soak, the check still asks the new one alone.
    """
    web = Program(folder, server=server, unix=unix, preload=True)  # keeps what was on the disk
    host = make_host(web, options={"soak": LONG, "check": _check_of(web)})
    host.start()
    first = host.master("web")
    web.write("v2", "sick")
    with Load(web.address, clients=3 if traffic else 0) as load:
        outcome = host.restart("web")
        assert not outcome.ok and "the check failed" in outcome.text
        assert "answered 500" in outcome.text
        assert host.wait_for_rest("web") == first
    assert load.counts.keys() <= {"ok", "other"}  # sick answers, but no connection was lost
    wait_until(lambda: web.pid_in_file() == first, "the pid file names the old master")
    assert web.ask().outcome == "ok"
    web.write("v3")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "soaking")
    assert host.promote("web").ok and host.wait_for_rest("web") != first
    assert web.ask().release == "v3"


@pytest.mark.parametrize("soak", ["0", "1"])
def test_old_workers_do_not_answer_for_a_sick_release(
    make_supervisor: MakeHost, folder: Path, soak: str
) -> None:
    """However long old unicorn workers take to go, the check is not asked of them."""
    web = Program(folder, server="unicorn", preload=True)
    host = make_supervisor(web, options={"soak": soak, "check": _check_of(web)})
    host.start()
    first = host.master("web")
    web.write("v2", "gated", "sick")
    with Later(lambda: host.restart("web")) as restart:
        host.wait_for_phase("web", "booting")
        kill(look(first), signal.SIGSTOP)  # so that its workers are not told to go
        web.open_gate()
        host.wait_for_phase("web", "restoring")
        kill(look(first), signal.SIGCONT)
    assert "the check failed" in restart.result().text
    assert host.wait_for_rest("web") == first and web.answers("v1")


def test_a_busy_old_worker_does_not_answer_for_a_sick_release(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """While all workers of both releases are busy, the check waits for a new one to be free."""
    web = Program(folder, server="gunicorn", preload=True, workers=1)
    host = make_supervisor(web, options={"check": _check_of(web)})
    host.start()
    first = host.master("web")
    web.write("v2", "sick")
    old = held_request(web)
    new = Request(web.address, "/held")  # for the first worker that comes
    wait_until(lambda: _waiting(web) == 1, "it waits")
    with Later(lambda: host.restart("web")) as restart:
        wait_until(lambda: _accepted(web) == 2 and _waiting(web) >= 1, "a question waits")
        stays(lambda: host.phase("web") == "soaking", "it waits for longer", 1.5)
        web.answer.touch()
    assert "the check failed" in restart.result().text
    assert host.wait_for_rest("web") == first
    assert old.answer().outcome == "ok" and new.answer().detail.endswith("500 X")


@PAIRS
def test_rollback_by_hand(make_host: MakeHost, folder: Path, server: str) -> None:
    """Rollback in the soak brings the old release back without losing a request."""
    web = Program(folder, server=server, preload=True)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        reach(host, "soaking")
        assert host.rollback("web").ok
        assert host.wait_for_rest("web") == first
    wait_until(lambda: web.pid_in_file() == first, "the pid file names the old master")
    assert load.failures == []
    assert "rolled back by command" in str(host.ended("web")[-1]["reason"])


@PAIRS
def test_promote_by_hand(make_host: MakeHost, folder: Path, server: str) -> None:
    """Promote ends a long soak at once; the new release stays, and no request is lost."""
    web = Program(folder, server=server)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        reach(host, "soaking")
        assert host.promote("web").ok
        assert host.wait_for_rest("web") != first
    assert load.failures == [] and web.ask().release == "v2"
    assert host.ended("web")[-1]["phase"] == "done"


def test_nothing_to_roll_back(make_host: MakeHost, folder: Path) -> None:
    """Rollback and promote without a handover, or of a stranger, are one clear error line."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    for command in (host.rollback, host.promote):
        outcome = command("web")
        assert not outcome.ok and "no handover of web is running" in outcome.text
        assert not command("nobody").ok


@PAIRS
def test_rollback_while_booting(make_host: MakeHost, folder: Path, server: str) -> None:
    """Rollback before the new workers are ready removes the new master."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    first = host.master("web")
    reach(host, "booting")
    assert host.rollback("web").ok
    assert host.wait_for_rest("web") == first and web.ask().release == "v1"


@PAIRS
def test_new_master_dies_in_the_soak(make_host: MakeHost, folder: Path, server: str) -> None:
    """When the new master is killed in the soak, the old one serves again, at full strength."""
    web = Program(folder, server=server, workers=3, timeout=10, preload=True)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    reach(host, "soaking")
    kill(host.new_master("web"))
    assert host.wait_for_rest("web") == first
    wait_until(lambda: web.pid_in_file() == first, "the pid file names the old master")
    assert "in the soak" in str(host.ended("web")[-1]["reason"])


@pytest.mark.parametrize("end", ["killed", "rolled back"])
def test_long_requests_do_not_hold_up_the_way_back(
    make_host: MakeHost, folder: Path, end: str
) -> None:
    """Beside old workers that still answer others are started, none too many; the new master goes.

    For that it waits no longer than until the old master is at full strength.
    """
    web = Program(folder, server="unicorn", preload=True)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    requests = [held_request(web), held_request(web)]
    reach(host, "soaking")
    if end == "killed":
        kill(host.new_master("web"))
    else:
        assert host.rollback("web").ok
    host.wait_for_phase("web", "settling")
    assert [found.pid for found in host.masters("web")] == [first] and web.answers("v1")
    assert not any(request.ended for request in requests)
    web.answer.touch()
    assert host.wait_for_rest("web") == first  # with two workers, not more
    assert [request.answer().outcome for request in requests] == ["ok", "ok"]


@pytest.mark.parametrize("number", ["HUP", "TTIN"])
def test_rollback_after_a_signal_by_hand(
    make_supervisor: MakeHost, folder: Path, number: str
) -> None:
    """Workers that an operator brought back in the soak do not confuse the way back."""
    web = Program(folder, server="unicorn", preload=True)
    host = make_supervisor(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        reach(host, "soaking")
        wait_until(lambda: not host.workers("web"), "the old workers have gone")
        assert host.signal("web", number).ok
        wait_until(lambda: host.workers("web"), "there are old workers again")
        assert host.rollback("web").ok
        assert host.wait_for_rest("web") == first
    assert load.failures == []


@pytest.mark.parametrize(
    ("host_class", "phase"),
    [("supervisor", "soaking"), ("circus", "restoring"), ("supervisor", "draining")],
    indirect=["host_class"],
)
def test_driver_killed_in_the_soak(make_host: MakeHost, folder: Path, phase: str) -> None:
    """The driver may be killed in every phase of a soak: the next one ends it as it should end."""
    web = Program(folder, server="unicorn", preload=True)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        reach(host, "soaking")
        if phase == "soaking":
            kill(look(host.driver()))
            wait_until(host.driver_is_there, "the next driver is there")
        end = host.rollback if phase == "restoring" else host.promote
        assert end("web").ok
        if phase != "soaking":
            kill(look(host.driver()))
        last = host.wait_for_rest("web")
    assert load.failures == [] and (last == first) == (phase == "restoring")


def test_new_master_and_driver_die_together(make_host: MakeHost, folder: Path) -> None:
    """When both die in the soak, the old workers answer as soon as another driver is there.

    That is before circusd would look at its processes by itself (`check_delay`).
    """
    web = Program(folder, server="unicorn", preload=True)  # keeps what was on the disk
    host = make_host(web, options={"soak": LONG})
    without_regular_looks(host)
    host.start()
    first = host.master("web")
    reach(host, "soaking")
    wait_until(lambda: not host.workers("web"), "the old workers have gone")
    new, driver = host.new_master("web"), look(host.driver())
    workers = children(new.pid)
    kill(driver)
    kill(new)
    wait_until(lambda: web.ask().release == "v1", "the old workers answer")
    wait_until(lambda: not any(map(alive, workers)), "the new workers have gone")
    assert host.wait_for_rest("web") == first and web.ask().release == "v1"


@PAIRS
@pytest.mark.parametrize("how", ["stop", "shutdown"])
def test_end_in_the_soak(make_host: MakeHost, folder: Path, server: str, how: str) -> None:
    """Stop and shutdown in the soak end both masters and leave nothing."""
    web = Program(folder, server=server)
    host = make_host(web, options={"soak": LONG})
    host.start()
    reach(host, "soaking")
    if how == "stop":
        assert host.stop("web").ok
    else:
        host.shutdown()
    host.wait_for_nobody("web")
