"""The promises of the README, each by its name, on every host and server."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ..kit.host import Host, Outcome
from ..kit.hosts import ALL
from ..kit.load import Load
from ..kit.processes import end, look
from ..kit.programs import Program
from ..waiting import Watch, wait_until
from .conftest import MakeHost
from .scenes import deploy, holding_exec, reach

every_host = pytest.mark.parametrize("host_class", ALL, indirect=True)


def in_turn(cells: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Cases of what is the engine's alone: each cell on one host, the next one on the next."""
    return [(host, *cell) for host, cell in zip(itertools.cycle(ALL), cells)]


# Says each signal that it gets.
STRANGER = """
import os, signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, lambda number, _: os.write(1, b"%d" % number))
os.write(1, b"ready\\n")
while True:
    time.sleep(60)
"""


@every_host
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("preload", [False, True], ids=["lazy", "preload"])
def test_no_request_is_lost(
    make_host: MakeHost, folder: Path, server: str, preload: bool, unix: bool
) -> None:
    """Three handovers in a row under load fail no request, and a long one in flight completes."""
    web = Program(folder, server=server, preload=preload, unix=unix, workers=3)
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        long = web.request("/sleep/5")
        masters = [first]
        for release in ("v2", "v3", "v4"):
            web.write(release)
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            masters.append(host.wait_for_rest("web"))
            assert web.ask().release == release
        assert long.answer().outcome == "ok" and long.answer().number("master") == first
    assert len(set(masters)) == 4
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3", "v4"}


# What the operator must find in the answer to a restart on each kind of broken release.
BROKEN = {
    "raises": ("ended|keep dying", "release v2 is broken"),
    "hangs": ("not ready in time .boot_timeout = 12 s; 0 of 3 ready", ""),
    "exits": ("ended|keep dying", ""),
    "config": ("ended", "no such setting|OSError"),
}


SERVED = list(itertools.product(["unicorn", "gunicorn"], ["lazy", "preload"]))


@pytest.mark.parametrize(
    ("host_class", "server", "loads", "kind"),
    [
        *((host, *served, "raises") for host in ALL for served in SERVED),
        *in_turn((*served, kind) for kind in ("hangs", "exits", "config") for served in SERVED),
    ],
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


@every_host
def test_the_supervisor_always_knows_the_master(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """Throughout handovers, good and bad, status names a living master that was one before."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    lies: list[object] = []
    with Watch(lambda: _known(host, "web", lies)):
        for release, kind in (("v2", "good"), ("v3", "raises"), ("v4", "good")):
            web.write(release, kind)
            assert host.restart("web").ok == (kind == "good")
    assert lies == []
    assert host.wait_for_rest("web") == web.ask().number("master")


def _known(host: Host, name: str, lies: list[object]) -> None:
    state, pid = host.state(name), host.master(name)
    found = look(pid)
    # A pid that was read may end before it is looked at; then status names another one by now.
    if state != "running" or ((not found or found.forked) and host.master(name) == pid):
        lies.append((state, pid, found))


@pytest.mark.parametrize(
    ("host_class", "server", "phase", "victim"),
    [
        *(
            (host, *cell)
            for host in ALL
            for cell in (
                ("unicorn", "re-executing", "old"),
                ("unicorn", "booting", "old"),
                ("unicorn", "booting", "new"),
                ("unicorn", "booting", "driver"),
                ("unicorn", "draining", "old"),
                ("unicorn", "draining", "both"),
                ("gunicorn", "booting", "new"),
                ("gunicorn", "draining", "old"),
            )
        ),
        *in_turn(
            (
                ("unicorn", "re-executing", "new"),
                ("unicorn", "re-executing", "driver"),
                ("unicorn", "re-executing", "both"),
                ("unicorn", "booting", "both"),
                ("unicorn", "draining", "new"),
                ("unicorn", "draining", "driver"),
                ("gunicorn", "re-executing", "old"),
                ("gunicorn", "booting", "old"),
                ("gunicorn", "draining", "new"),
            )
        ),
    ],
    indirect=["host_class"],
)
def test_one_family(
    make_host: MakeHost, folder: Path, server: str, phase: str, victim: str
) -> None:
    """Whoever is killed in the middle of a handover, one supervised family is left."""
    # A gunicorn with a pid file ends itself if it looks at its killed master in the milliseconds
    # before the host has reaped that: then the one family is another.
    web = Program(folder, server=server, restarted=True, timeout=10, pidfile=server == "unicorn")
    if phase == "re-executing":
        holding_exec(web)
    host = make_host(web)
    host.start()
    old = look(host.master("web"))
    before = {found.pid for found in host.family("web")}
    reach(host, phase)
    wait_until(lambda: len(host.family("web")) > len(before), "there is something new")
    new = [f for f in host.family("web") if f.pid not in before and f.ppid == old.pid]
    victims = {"old": [old], "new": new, "driver": [look(host.driver())], "both": [old, *new]}
    end(*victims[victim])
    web.open_gate()
    last = host.wait_for_rest("web")
    assert host.state("web") in ("running", "active") and web.answers()
    if victim == "driver" or (victim == "old" and phase != "re-executing"):
        assert last == new[0].pid
    if victim == "new" and phase != "draining":
        assert last == old.pid
    web.write("v3")
    outcome = host.restart("web")
    assert outcome.ok and web.answers("v3"), outcome.text
    host.wait_for_rest("web")


@every_host
def test_no_stranger_is_signalled(make_host: MakeHost, folder: Path, server: str) -> None:
    """A pid file that names a stranger brings that stranger no signal."""
    web = Program(folder, server=server, pidfile=server == "unicorn")
    # A gunicorn that finds a stranger in its pid file ends itself, so it has none here.
    host = make_host(web, options={"pidfile": str(web.pid_path)})
    host.start()
    with subprocess.Popen([sys.executable, "-c", STRANGER], stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout and stranger.stdout.readline() == b"ready\n"
        try:
            for release, kind in (("v2", "good"), ("v3", "raises"), ("v4", "good")):
                web.write(release, kind)
                # Until it has reaped a new master that failed, unicorn's pid file is that one's.
                mine = (host.master("web"), stranger.pid)
                wait_until(lambda m=mine: not web.pidfile or web.pid_in_file() in m, "it is reaped")
                Path(f"{web.pid_path}.oldbin").unlink(missing_ok=True)
                web.pid_path.write_text(f"{stranger.pid}\n")
                assert host.restart("web").ok == (kind == "good")
                host.wait_for_rest("web")
            assert stranger.poll() is None
        finally:
            stranger.kill()
        assert stranger.stdout.read() == b""


@every_host
def test_restart_returns_at_once(make_host: MakeHost, folder: Path, server: str) -> None:
    """Without waiting, restart returns before the new release has loaded; then it is followed."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    old = host.master("web")
    web.write("v2", "gated")
    outcome = host.restart("web", wait=False)
    assert outcome.ok and re.search("web: started", outcome.text)
    assert host.phase("web") != "idle" and host.master("web") == old
    waiting = threading.Thread(target=lambda: outcomes.append(host.restart("web")))
    outcomes: list[Outcome] = []
    waiting.start()
    web.open_gate()
    waiting.join(60)
    assert outcomes[0].ok and "web: started (pid" in outcomes[0].text
    assert host.wait_for_rest("web") != old and web.answers("v2")


@every_host
def test_a_restart_runs_what_is_deployed_now(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """A release in a directory of its own, behind a link, serves after a restart, or it is told.

    The old release is gone from the disk by then, and once the new one is as well.
    """
    web = Program(folder, server=server)
    host = make_host(web)
    link = deploy(web, "v1")
    script = web.folder / "start.sh"
    words = web.command_line.replace(f"{web.folder}/config.ru", "config.ru")
    script.write_text(f"#!/bin/sh\ncd {link} && exec {words}\n")
    script.chmod(0o755)
    web.command = str(script)
    host.start()
    with Load(web.address) as load:
        for release in ("v2", "v3"):
            deploy(web, release, keep=False)
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            assert web.answers(release)
            last = host.wait_for_rest("web")
        shutil.rmtree(link.resolve())
        outcome = host.restart("web")
        assert not outcome.ok and str(link) in outcome.text
        assert host.wait_for_rest("web") == last
    assert load.failures == []
