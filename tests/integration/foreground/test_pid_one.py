"""As PID 1 of a container: here, of a pid namespace."""

from __future__ import annotations

import signal
import subprocess

import pytest

from ...kit.foreground_host import ForegroundHost
from ...kit.load import Load
from ...kit.processes import children, kill, look
from ...kit.programs import Program
from ...waiting import wait_until

NAMESPACE = ["unshare", "--user", "--map-root-user", "-pf", "--mount-proc"]


def can_unshare() -> bool:
    """True if this user may make namespaces."""
    return subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_unshare(), reason="no namespaces here")


@pytest.fixture
def contained(host: ForegroundHost) -> ForegroundHost:
    """A started PID 1."""
    host.prefix = NAMESPACE
    host.launch()
    wait_until(host.program.answers, "web answers")
    wait_until(lambda: is_one_family(host), "it has all its workers")
    return host


def is_one_family(host: ForegroundHost) -> bool:
    """True if there is a master, which PID 1 knows, with its workers, and nobody else."""
    family = {found.pid for found in host.family("web")}
    workers = {worker.pid for worker in host.workers("web")}
    return len(workers) == 2 and family == {host.master("web"), *workers}


def test_handover_and_stop(contained: ForegroundHost, web: Program) -> None:
    """No request is lost; TERM ends it with the master's exit status."""
    old = contained.master("web")
    with Load(web.address) as load:
        web.write("v2")
        contained.signal_runner(signal.SIGHUP)
        wait_until(lambda: web.answers("v2"), "v2 answers")
        wait_until(lambda: contained.phase("web") == "idle", "the handover has ended")
        wait_until(lambda: is_one_family(contained), "there is one family")
        assert contained.master("web") != old
    assert not load.failures
    contained.signal_runner(signal.SIGTERM)
    assert contained.exit_status() == 0
    contained.wait_for_nobody("web")


def test_strangers_are_reaped(contained: ForegroundHost, web: Program) -> None:
    """What a dead shell of the application leaves is no zombie for long."""
    pid = contained.pid()
    joined = ["nsenter", f"--target={pid}", "--user", "--preserve-credentials", "--pid"]
    before = {child.pid for child in children(pid)}
    subprocess.run([*joined, "sh", "-c", "sleep 0.2 & "], check=True)
    wait_until(lambda: _zombies(pid) == 0 and {c.pid for c in children(pid)} == before, "no zombie")


def _zombies(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return sum(look(int(word)) is None for word in file.read().split())


def test_a_killed_master(contained: ForegroundHost) -> None:
    """PID 1 cannot die of a signal, so its exit status is 128 and the number."""
    kill(look(contained.master("web")))
    assert contained.exit_status() == 128 + signal.SIGKILL
