"""The check in the soak: a sick release is backed out, whoever else still answers."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ...kit.load import Load, Request
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import Later, stays, wait_until
from ..conftest import MakeHost
from ..scenes import held_request
from .shared import LONG, check_of


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


@pytest.mark.parametrize(
    ("host_class", "server", "unix", "traffic"),
    [
        ("supervisor", "unicorn", False, True),
        ("supervisor", "unicorn", True, False),
        ("circus", "gunicorn", False, True),
        ("circus", "gunicorn", True, True),
        ("circus", "gunicorn", False, False),
    ],
    indirect=["host_class", "server"],
)
def test_sick_release_is_backed_out(
    make_host: MakeHost, folder: Path, server: str, unix: bool, traffic: bool
) -> None:
    """A release that boots and answers 500 fails its check; the old one is back in full.

    Where both releases serve in the soak, the check still asks the new one alone.
    """
    web = Program(folder, server=server, unix=unix, preload=True)  # keeps what was on the disk
    host = make_host(web, options={"soak": LONG, "check": check_of(web)})
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
    host = make_supervisor(web, options={"soak": soak, "check": check_of(web)})
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
    host = make_supervisor(web, options={"check": check_of(web)})
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
