"""A managed program is in all else what Supervisor says a process is: exits, times, stops."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import hand_over, held_request, reach


def test_the_exit_of_an_adopted_master_is_told_truly(
    make_supervisor: MakeHost, folder: Path, server: str
) -> None:
    """An adopted master that is killed was "terminated by SIGKILL", and autorestart follows."""
    web = Program(folder, server=server, timeout=10)
    host = make_supervisor(web)
    host.start()
    adopted = hand_over(host)
    kill(look(adopted))
    wait_until(lambda: host.master("web") not in (0, adopted), "it is started again")
    assert "exited: web (terminated by SIGKILL; not expected)" in host.host_log()
    host.wait_for_rest("web")


def test_uptime_starts_anew(make_supervisor: MakeHost, folder: Path) -> None:
    """status shows the pid and the uptime of the adopted master."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    wait_until(lambda: host.info("web")["now"] - host.info("web")["start"] >= 3, "3 s of uptime")
    began = int(time.time())
    adopted = hand_over(host)
    assert host.info("web")["start"] >= began
    line = host.ctl("status", "web").text
    uptime = re.search(rf"web +RUNNING +pid {adopted}, uptime (\d+):(\d\d):(\d\d)", line)
    assert uptime, line
    hours, minutes, seconds = map(int, uptime.groups())
    assert (hours * 60 + minutes) * 60 + seconds <= time.time() - began


@pytest.mark.parametrize(("server", "as_group"), [("unicorn", "true"), ("gunicorn", "false")])
def test_stop_as_group(make_supervisor: MakeHost, folder: Path, server: str, as_group: str) -> None:
    """stopasgroup and killasgroup reach the adopted master, which leads no group of its own."""
    web = Program(
        folder,
        server=server,
        host_options={"stopasgroup": as_group, "killasgroup": "true", "stopwaitsecs": "1"},
    )
    host = make_supervisor(web)
    host.start()
    hand_over(host)
    assert host.stop("web").ok
    host.wait_for_nobody("web")
    assert host.begin("web").ok
    wait_until(web.answers, "it serves again")
    hand_over(host, release="v3")
    kill(look(host.workers("web")[0].pid), 19)  # stopped, it obeys nothing but SIGKILL
    assert host.stop("web").ok
    host.wait_for_nobody("web")


@pytest.mark.parametrize(("server", "phase"), [("unicorn", "draining"), ("gunicorn", "adopted")])
def test_a_stop_that_takes_too_long_kills(
    make_supervisor: MakeHost, folder: Path, server: str, phase: str
) -> None:
    """After stopwaitsecs an adopted master, or both of a handover, are killed, workers and all."""
    web = Program(folder, server=server, host_options={"stopwaitsecs": "1"})
    host = make_supervisor(web)
    host.start()
    if phase == "adopted":
        hand_over(host)
        request = held_request(web)
    else:
        request = reach(host, "draining")
    assert host.stop("web").ok and host.state("web") == "stopped"
    assert re.search(r"killing 'web' \(\d+\) with SIGKILL", host.host_log())
    host.wait_for_nobody("web")
    assert request.answer().outcome != "ok"


def test_stock_restart_of_what_does_not_run(make_supervisor: MakeHost, folder: Path) -> None:
    """A managed program that is stopped, or has died, gets Supervisor's own restart."""
    web = Program(folder, host_options={"autorestart": "false"})
    host = make_supervisor(web)
    host.start()
    assert host.stop("web").ok
    outcome = host.restart("web")
    assert outcome.text == "web: ERROR (not running)\nweb: started\n", outcome.text
    master = host.wait_for_rest("web")
    kill(look(master))
    wait_until(lambda: host.state("web") == "exited", "it has died")
    outcome = host.restart("web")
    assert outcome.text == "web: ERROR (not running)\nweb: started\n", outcome.text
    host.wait_for_rest("web")
    hand_over(host)


def test_stop_and_start_keep_their_meaning(make_supervisor: MakeHost, folder: Path) -> None:
    """stopProcess and startProcess over XML-RPC are no handover."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    master = host.master("web")
    assert host.rpc.supervisor.stopProcess("web") and host.family("web") == []
    assert host.rpc.supervisor.startProcess("web") and host.master("web") != master
    host.wait_for_rest("web")
    assert host.ended("web") == []


def test_every_log_on_a_full_disk(make_supervisor: MakeHost, folder: Path) -> None:
    """Supervisor goes on without them, and so do handovers, good and bad."""
    full = {"stdout_logfile": "/dev/full", "stdout_logfile_maxbytes": "0"}
    web = Program(folder, host_options={**full, "redirect_stderr": "true"})
    host = make_supervisor(web)
    host.supervisord = "logfile = /dev/full\nlogfile_maxbytes = 0"
    host.start()
    with Load(web.address) as load:
        web.write("v2")
        assert host.restart("web").ok
        web.write("v3", "raises")
        assert "release v3 is broken" in host.restart("web").text
        host.wait_for_rest("web")
    assert not load.failures and load.releases() == {"v1", "v2"}
