"""Stop and shutdown in the middle of a handover leave nothing."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ...kit import hosts
from ...kit.programs import Program
from ...waiting import Later, wait_until
from ..conftest import PAIRS, MakeHost
from ..scenes import (
    holding_exec,
    reach,
)

WAYS = ["stop", "shutdown"]


@pytest.mark.parametrize(
    ("host_class", "server", "phase", "way"),
    [
        *itertools.product(hosts.HOSTS, ["unicorn"], ["booting"], WAYS),
        ("supervisor", "unicorn", "re-executing", "shutdown"),
        ("circus", "unicorn", "re-executing", "stop"),
        ("supervisor", "unicorn", "draining", "shutdown"),
        ("circus", "unicorn", "draining", "stop"),
        ("circus", "gunicorn", "booting", "stop"),
        ("supervisor", "gunicorn", "draining", "stop"),
        ("circus", "gunicorn", "draining", "shutdown"),
    ],
    indirect=["host_class"],
)
def test_an_end_in_the_middle_ends_both_masters(
    make_host: MakeHost, folder: Path, server: str, phase: str, way: str
) -> None:
    """stop and shutdown in a handover end both masters and leave nothing.

    They do not wait for an application that loads: nobody would answer its connections.
    """
    web = Program(folder, server=server)
    if phase == "re-executing":
        holding_exec(web)
    host = make_host(web)
    web.host_options[host.patience] = "90"  # longer than this test waits
    host.start()
    request = reach(host, phase)
    assert phase == "re-executing" or len(host.masters("web")) == 2
    with Later(lambda: host.stop("web") if way == "stop" else host.shutdown()):
        wait_until(lambda: host.state("web") != "running", "it is told to end")
        if phase != "booting":
            web.open_gate()
    assert request is None or request.answer().outcome == "ok"
    assert way == "shutdown" or host.state("web") == "stopped"
    host.wait_for_nobody("web")
    if way == "stop":
        assert host.phase("web") == "idle" and host.ended("web")[-1]["phase"] == "failed"
        web.write("v3")
        assert host.begin("web").ok
        wait_until(lambda: web.answers("v3"), "it serves again")


@PAIRS
@pytest.mark.parametrize("way", WAYS)
def test_an_end_before_the_exec(make_host: MakeHost, folder: Path, server: str, way: str) -> None:
    """A child that was forked for a new master, but not exec'd yet, is not left by an end."""
    web = holding_exec(Program(folder, server=server))
    host = make_host(web)
    web.host_options[host.patience] = "5"
    host.start()
    reach(host, "re-executing")
    wait_until(lambda: len(host.family("web")) == 4, "the child is forked")
    if way == "stop":
        assert host.stop("web").ok
    else:
        host.shutdown()
    host.wait_for_nobody("web")


# A starting interpreter can lose a signal; this one loses all.
DEAF = {
    "unicorn": "%w(QUIT TERM INT).each { |name| trap(name) {} }\nFile.write('deaf', '')\nsleep",
    "gunicorn": """\
import signal, time
for number in signal.SIGQUIT, signal.SIGTERM, signal.SIGINT:
    signal.signal(number, lambda number, frame: None)
open("deaf", "w").close()
while True:
    time.sleep(3600)
""",
}


@PAIRS
@pytest.mark.parametrize("way", WAYS)
def test_an_end_while_the_new_master_hears_no_signal(
    make_host: MakeHost, folder: Path, server: str, way: str
) -> None:
    """A new master that starts could lose its stop signal: it is killed, not waited for."""
    web = Program(folder, server=server)
    host = make_host(web)
    web.host_options[host.patience] = "3600"
    host.start()
    web.settings = DEAF[server]
    web.write("v2")
    assert host.restart("web", wait=False).ok
    wait_until((web.folder / "deaf").exists, "the new master reads its configuration")
    if way == "stop":
        assert host.stop("web").ok
    else:
        host.shutdown()
    host.wait_for_nobody("web")
