"""The soak: who serves in it, and how it ends, under load on every host and server."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import ON_SUPERVISOR, PAIRS, MakeHost
from ..scenes import reach
from .shared import LONG, check_of


@pytest.mark.parametrize(
    ("host_class", "server", "unix"),
    [("supervisor", "unicorn", False), ("circus", "gunicorn", True)],
    indirect=["host_class", "server"],
    ids=["supervisor-unicorn-tcp", "circus-gunicorn-unix"],
)
def test_soak_under_load(make_host: MakeHost, folder: Path, server: str, unix: bool) -> None:
    """A soak of 1 s with a check fails no request, and ends in the new release."""
    web = Program(folder, server=server, unix=unix)
    host = make_host(web, options={"soak": "1", "check": check_of(web)})
    host.start()
    first = host.master("web")
    web.write("v2")
    with Load(web.address) as load:
        outcome = host.restart("web")
        assert outcome.ok, outcome.text
        second = host.wait_for_rest("web")
    assert second != first and load.failures == [] and web.ask().release == "v2"


@ON_SUPERVISOR
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
