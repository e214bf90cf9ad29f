"""A release that cannot boot is backed out, and the old one serves on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from .cells import SERVED, in_turn

# What the operator must find in the answer to a restart on each kind of broken release.
BROKEN = {
    "raises": ("ended|keep dying", "release v2 is broken"),
    "hangs": ("not ready in time .boot_timeout = 12 s; 0 of 3 ready", ""),
    "exits": ("ended|keep dying", ""),
    "config": ("ended", "no such setting|OSError"),
}


@pytest.mark.parametrize(
    ("host_class", "server", "loads", "kind"),
    # Four kinds on three hosts in turn: each kind comes to each host.
    in_turn((*served, kind) for served in SERVED for kind in BROKEN),
    indirect=["host_class"],
)
def test_a_failed_restart_costs_nothing(
    make_host: MakeHost, folder: Path, server: str, loads: str, kind: str
) -> None:
    """A broken release is backed out in seconds, says why, and the old one serves as before."""
    preload = loads == "preload"
    web = Program(folder, server=server, preload=preload, workers=3)
    options = {"boot_timeout": "12"} if kind == "hangs" else {}
    host = make_host(web, options=options)
    host.start()
    first = host.master("web")
    web.write("v2", kind)
    with Load(web.address) as load:
        outcome = host.restart("web")  # which waits for less than the default boot_timeout
        assert not outcome.ok
        why, line = BROKEN[kind]
        if kind == "hangs" and preload:
            why = why.replace("of 3", "of 0")
        assert re.search(r"web: ERROR \(.*(" + why + ")", outcome.text)
        assert re.search(line, outcome.text), outcome.text
        assert host.wait_for_rest("web") == first and host.state("web") == "running"
        wait_until(lambda: web.pid_in_file() == first, "the pid file names the old master")
        assert load.releases() == {"v1"}
        web.write("v3")
        assert host.restart("web").ok
        assert host.wait_for_rest("web") != first
    assert load.failures == [] and web.ask().release == "v3"
