"""Promote and rollback end a USR2 that was sent by hand, on real hosts and servers under load."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ..kit.host import Host
from ..kit.load import Load
from ..kit.processes import kill, look
from ..kit.programs import Program
from ..waiting import wait_until
from .conftest import MakeHost
from .scenes import re_execute_by_hand


def phases(host: Host) -> list[str]:
    """The phases of the handover that ended last."""
    last = host.status("web")["ended"][-1]
    return [*(passed["phase"] for passed in last["passed"]), last["phase"]]


@pytest.mark.parametrize(
    ("host_class", "server"),
    [("supervisor", "unicorn"), ("circus", "gunicorn")],
    indirect=["host_class"],
)
def test_promote(make_host: MakeHost, folder: Path, server: str) -> None:
    """The old master drains and the new one is adopted, as at the end of any handover."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        web.write("v2")
        new = re_execute_by_hand(host)
        refused = host.restart("web")
        assert not refused.ok and f"a new master, pid {new}," in refused.text
        assert "`promote` keeps that one, `rollback` the old one" in refused.text
        assert host.promote("web").ok
        assert host.wait_for_rest("web") == new
    assert load.failures == [] and web.ask().release == "v2"
    # A gunicorn's pid file may name the new master only a moment later.
    assert [p for p in phases(host) if p != "confirming"] == ["booting", "draining", "done"]
    assert "handover 2 of web: draining" in host.host_log()


@pytest.mark.parametrize(
    ("host_class", "server"),
    [("supervisor", "gunicorn"), ("circus", "unicorn")],
    indirect=["host_class"],
)
def test_rollback(make_host: MakeHost, folder: Path, server: str) -> None:
    """The new master is removed, and the old one serves on as it did; then a restart works."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2")
        re_execute_by_hand(host)
        assert host.rollback("web").ok
        assert host.wait_for_rest("web") == first
    assert load.failures == [] and web.ask().release == "v1"
    assert "removing" in phases(host) and phases(host)[-1] == "failed"
    assert host.ended("web")[-1]["reason"] == "rolled back by command"
    assert host.restart("web").ok


@pytest.mark.parametrize("host_class", ["supervisor"], indirect=True)
def test_rollback_brings_workers_back_that_a_hand_has_stopped(
    make_host: MakeHost, folder: Path
) -> None:
    """As the guide has it: USR2, WINCH, look. All come back before the new master goes."""
    web = Program(folder, preload=True, workers=3)
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2")
        re_execute_by_hand(host)
        kill(look(first), signal.SIGWINCH)
        wait_until(lambda: not host.workers("web"), "the old workers have gone")
        assert host.rollback("web").ok
        assert host.wait_for_rest("web") == first  # with three workers
    assert load.failures == [] and web.ask().release == "v1"
    assert phases(host)[:2] == ["restoring", "removing"]
