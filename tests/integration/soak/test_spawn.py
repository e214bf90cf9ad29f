"""The soak of a master that the host has started: its check, and both ends by command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.nginx import Nginx
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import reach
from .shared import LONG, check_of


@pytest.mark.parametrize(
    ("host_class", "server", "unix"),
    [
        ("supervisor", "unicorn", False),
        ("circus", "gunicorn", True),
        ("circus", "nginx", True),
    ],
    indirect=["host_class", "server"],
)
def test_a_soak_ends_in_each_way(
    make_host: MakeHost, folder: Path, server: str, unix: bool
) -> None:
    """A sick release is backed out, so is one that is rolled back; a promoted one stays.

    What the way back loses is only the sick answers; the pid file names who serves.
    """
    kind = Nginx if server == "nginx" else Program
    web = kind(folder, server=server, unix=unix, preload=True)  # keeps what was on the disk
    host = make_host(web, options={"method": "spawn", "soak": LONG, "check": check_of(web)})
    host.start()
    first = host.master("web")
    web.write("v2", "sick")
    with Load(web.address, clients=2) as load:
        outcome = host.restart("web")
        assert not outcome.ok and "the check failed" in outcome.text, outcome.text
        assert "answered 500" in outcome.text
        assert host.wait_for_rest("web") == first == web.pid_in_file()
    assert load.counts.keys() <= {"ok", "other"} and web.answers("v1")
    with Load(web.address) as load:
        reach(host, "soaking", release="v3")
        assert host.master("web") == first
        assert host.rollback("web").ok
        assert host.wait_for_rest("web") == first == web.pid_in_file()
        reach(host, "soaking", release="v4")
        assert host.promote("web").ok
        last = host.wait_for_rest("web")
        wait_until(lambda: web.pid_in_file() == last, "the pid file names it")
    assert load.failures == [] and web.answers("v4")
    assert last != first and os.getpgid(last) == last
    assert [(ended["method"], ended["phase"]) for ended in host.ended("web")] == [
        ("spawn", "failed"),
        ("spawn", "failed"),
        ("spawn", "done"),
    ]
