"""A program's sockets are held by its host: a crash refuses nothing, and a stop refuses at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import psutil
import pytest

from ..kit.host import Host
from ..kit.load import Load
from ..kit.programs import Program
from ..waiting import Later, wait_until
from .conftest import MakeHost
from .scenes import crash, when_held

NO_GETFD = Path(__file__).with_name("no_getfd.py")
IPV6 = {"ip": "::1"}
UNIX = {"unix": True}


def test_an_idle_gunicorn_is_served_again_at_once(make_host: MakeHost, folder: Path) -> None:
    """Workers that have not noticed the death of their master keep the port."""
    web = Program(folder, server="gunicorn", timeout=240)
    host = make_host(web)
    host.start()
    dead, old = when_held(host), {found.pid for found in host.workers("web")}
    for pid in old:
        os.kill(pid, SIGSTOP)
    os.kill(dead, SIGKILL)
    wait_until(lambda: host.master("web") not in (0, dead), "another master is there")
    wait_until(lambda: len(host.workers("web")) == web.workers, "it has its workers")
    assert {found.pid for found in host.family("web")} >= old
    assert web.ask().outcome == "ok"
    for pid in old:
        os.kill(pid, SIGCONT)
    wait_until(lambda: host.at_rest("web"), "they have gone, without a request")


def holds(host: Host, program: Program) -> bool:
    """True if the host has the socket that a program listens on by TCP."""
    connections = psutil.Process(host.pid()).net_connections("tcp")
    return any(c.laddr[1] == program.port for c in connections if c.status == "LISTEN")


def test_a_stopped_program_refuses_at_once(make_host: MakeHost, folder: Path) -> None:
    """The host lets go before it sends a signal; this one has crashed before."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    when_held(host)
    master = crash(host)
    wait_until(lambda: host.at_rest("web"), "one family is left")
    assert holds(host, web)
    os.kill(master, SIGSTOP)
    with Later(lambda: host.stop("web")) as stop:
        wait_until(lambda: not holds(host, web), "the host has let go")
        assert host.master("web") == master and not stop.is_done
        os.kill(master, SIGCONT)
        assert stop.result().ok
    assert web.ask().outcome == "refused"


def test_what_is_not_started_again_refuses(make_host: MakeHost, folder: Path) -> None:
    """The host is not to start it after its end, so nobody waits for it."""
    web = Program(folder, host_options={"autorestart": "false", "respawn": "False"})
    host = make_host(web)
    host.start()
    dead = when_held(host)
    os.kill(dead, SIGKILL)
    wait_until(lambda: web.ask().outcome == "refused", "it refuses")
    wait_until(lambda: host.state("web") != "running", "the host is done with it")


def test_a_crash_loop_is_refused_after_hold(make_host: MakeHost, folder: Path) -> None:
    """It is told as well, and the program is served again when its release is mended."""
    web = Program(folder, host_options={"startretries": "100"})
    host = make_host(web, options={"hold": "3"})
    host.start()
    dead = when_held(host)
    web.write("v2", "config")
    with Later(web.ask) as waiting:
        os.kill(dead, SIGKILL)
        wait_until(lambda: "no worker was ready within hold = 3 s" in host.host_log(), "it is told")
        wait_until(lambda: web.ask().outcome == "refused", "it refuses")
        assert waiting.result().outcome in ("ok", "reset", "refused", "cut")
    web.write("v3")
    wait_until(lambda: web.answers("v3"), "the mended release answers")


@pytest.mark.parametrize(
    ("host_class", "server", "how"),
    [("supervisor", "unicorn", UNIX), ("circus", "gunicorn", IPV6)],
    indirect=["host_class"],
)
def test_hold_stop_covers_a_stop_and_a_start(
    make_host: MakeHost, folder: Path, server: str, how: dict[str, object]
) -> None:
    """Twice in a row under load."""
    web = Program(folder, server=server, **how)  # type: ignore[arg-type]
    host = make_host(web, options={"hold_stop": "60", "hold": "0"})
    host.start()
    when_held(host)
    with Load(web.address) as load:
        for _ in range(2):
            assert host.stop("web").ok
            host.begin("web")
            wait_until(lambda: host.at_rest("web"), "it serves again")
    assert load.failures == []


def test_where_sockets_cannot_be_copied_all_is_as_before(make_host: MakeHost, folder: Path) -> None:
    """One line says why; a crash is followed by a start, and a restart is a handover."""
    web = Program(folder)
    host = make_host(web)
    host.prefix = [sys.executable, str(NO_GETFD)]
    host.start()
    line = "a seccomp profile refuses pidfd_getfd"
    wait_until(lambda: line in host.host_log(), "it is told")
    crash(host)
    web.write("v2")
    assert host.restart("web").ok
    host.wait_for_rest("web")
    assert web.answers("v2") and host.host_log().count(line) == 1
