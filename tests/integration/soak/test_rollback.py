"""Rollback and promote: the way back, and the way on, by command."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.processes import kill
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import PAIRS, MakeHost
from ..scenes import held_request, reach
from .shared import LONG


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


@pytest.mark.parametrize(
    ("host_class", "end"),
    [("supervisor", "killed"), ("circus", "rolled back")],
    indirect=["host_class"],
)
def test_long_requests_do_not_hold_up_the_way_back(
    make_host: MakeHost, folder: Path, end: str
) -> None:
    """Beside old workers that still answer others are started, none too many; the new master goes.

    For that it waits no longer than until the old master has all its workers.
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
