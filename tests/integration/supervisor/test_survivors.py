"""What is Supervisor's own about programs that have survived it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.nginx import Nginx
from ...kit.processes import end, kill, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import hand_over
from ..strangers import left_alone


def changed(web: Program) -> None:
    """Change its section, so that the next master has another environment."""
    web.host_options["environment"] = 'CHANGED="1"'


def has_change(pid: int) -> bool:
    """True if a process was started by the changed section."""
    return b"CHANGED=1" in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize("way", ["update", "restart"])
def test_a_section_that_was_changed(make_supervisor: MakeHost, folder: Path, way: str) -> None:
    """The old one is in force until update or a restart hands the program over, by spawn."""
    web = Program(folder, server="gunicorn")
    host = make_supervisor(web)
    host.start()
    master = host.master("web")
    host.kill()
    changed(web)
    host.was_killed = True
    host.launch()
    assert host.master("web") == master
    assert "its section was changed" in host.host_log()
    with Load(web.address) as load:
        outcome = host.ctl("update") if way == "update" else host.restart("web")
        assert outcome.ok, outcome.text
        assert host.wait_for_rest("web") != master
    assert not load.failures
    assert has_change(host.master("web"))
    assert "web" not in host.ctl("update").text, "nothing is changed any more"
    host.kill_and_start_again()
    assert host.ctl("update").text == "" and has_change(host.master("web"))


def test_a_crash_and_a_start_with_a_changed_section(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """A crash starts what was in force, which has proven itself; a stop and start the new one."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    host.kill()
    changed(web)
    host.was_killed = True
    host.launch()
    end(look(host.master("web")))
    wait_until(lambda: host.at_rest("web"), "it is started again")
    assert not has_change(host.master("web"))
    assert host.stop("web").ok and host.begin("web").ok
    wait_until(lambda: host.at_rest("web"), "it is started again")
    assert has_change(host.master("web"))


def test_its_status(make_supervisor: MakeHost, folder: Path) -> None:
    """It has its start time, whatever startsecs is, and is taken over without autostart too."""
    web = Program(folder, host_options={"startsecs": "3", "autostart": "false"})
    host = make_supervisor(web)
    host.launch()
    assert host.begin("web").ok
    wait_until(lambda: host.state("web") == "running", "it runs")
    before = host.info("web")
    host.kill_and_start_again()
    wait_until(lambda: host.state("web") == "running", "it runs", seconds=2)
    assert (host.info("web")["start"], host.master("web")) == (before["start"], before["pid"])


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGQUIT, "exited"), (signal.SIGKILL, "running")]
)
def test_its_exit_status_decides(
    make_supervisor: MakeHost, folder: Path, number: signal.Signals, state: str
) -> None:
    """With autorestart = unexpected it is started again after a signal, not after status 0."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    host.kill_and_start_again()
    master = look(host.master("web"))
    kill(master, number)
    wait_until(lambda: host.master("web") != master.pid, "its end is seen", seconds=15)
    wait_until(lambda: host.state("web") == state, f"it is {state}")
    if state == "running":
        wait_until(lambda: host.at_rest("web"), "it is one family")


def test_fatal_and_backoff(make_supervisor: MakeHost, folder: Path) -> None:
    """What could not be started is tried again by the next supervisord, as by every one."""
    web = Program(folder, preload=True, host_options={"startsecs": "5", "startretries": "1"})
    web.write("v1", "exits")
    host = make_supervisor(web)
    host.launch()
    wait_until(lambda: host.state("web") == "fatal", "it is FATAL")
    web.write("v2")
    host.kill_and_start_again()
    wait_until(lambda: host.at_rest("web"), "it is started")


def test_an_app_that_prints_meanwhile(make_supervisor: MakeHost, folder: Path) -> None:
    """With own_reader no request fails while no supervisord is there, and no line is lost."""
    web = Program(folder, host_options={"redirect_stderr": "true"})
    host = make_supervisor(web, options={"own_reader": "yes"})
    host.start()
    hand_over(host)
    host.kill()
    answers = [web.ask(f"/print/line-{n}") for n in range(50)]
    assert {answer.outcome for answer in answers} == {"ok"}
    host.was_killed = True
    host.launch()
    wait_until(lambda: all(f"line-{n}\n" in host.log("web") for n in range(50)), "all is logged")
    hand_over(host, release="v3")
    web.ask("/print/later")
    wait_until(lambda: "later" in host.log("web"), "the new master's output as well")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_user_s_program_of_a_daemon(make_supervisor: MakeHost, folder: Path) -> None:
    """supervisord in the background keeps its lock and its notes; the program is nobody's."""
    web = Program(folder, host_options={"user": "nobody"})
    for path in (folder, web.folder):
        path.chmod(0o777)
    host = make_supervisor(web)
    host.daemon = True
    host.start()
    master = host.master("web")
    with Load(web.address) as load:
        host.kill_and_start_again()
        assert host.master("web") == master
        hand_over(host)
    assert not load.failures
    web.ask("/print/still-logged")
    wait_until(lambda: "err-still-logged" in host.log("web"), "what it prints is logged")


def test_a_stranger_in_the_notes(make_supervisor: MakeHost, folder: Path) -> None:
    """A note that names another process, or is a FIFO, is not followed: supervisord starts."""
    web, other = Program(folder), Program(folder, name="other")
    host = make_supervisor(web, other)
    host.start()
    host.kill()
    (path,) = folder.glob("state/*/web-*.json")
    (fifo,) = folder.glob("state/*/other-*.json")
    fifo.unlink()
    os.mkfifo(fifo, 0o600)
    left = host.masters("web") + host.masters("other")
    host.was_killed = True
    with left_alone() as stranger:
        note = json.loads(path.read_text())
        path.write_text(json.dumps({**note, "master": [stranger.pid, stranger.start]}))
        host.launch()
        end(*left)
        wait_until(lambda: host.at_rest("web") and host.at_rest("other"), "both are started")
    assert "as its master, is not in its process group; it is not touched" in host.host_log()
    assert "is not used: " in host.host_log()


def test_an_nginx(make_supervisor: MakeHost, folder: Path) -> None:
    """It survives as well, and is handed over and killed as one that was not left."""
    web = Nginx(folder)
    host = make_supervisor(web)
    host.start()
    master = host.master("web")
    with Load(web.address) as load:
        host.kill_and_start_again()
        assert host.master("web") == master
        hand_over(host)
    assert not load.failures
    master = look(host.master("web"))
    host.kill_and_start_again()
    end(master)
    wait_until(lambda: host.master("web") not in (0, master.pid), "it is started again")
    wait_until(lambda: host.at_rest("web"), "it is one family")


def test_killed_while_it_shuts_down(make_supervisor: MakeHost, folder: Path) -> None:
    """The next one ends what was being ended, and then starts it, as after every shutdown."""
    web = Program(folder, server="gunicorn")
    host = make_supervisor(web)
    host.start()
    master, request = host.master("web"), web.request("/held")
    host.rpc.supervisor.shutdown()
    wait_until(lambda: "Handling signal: term" in host.log("web"), "it is being ended")
    host.kill_and_start_again()
    assert host.state("web") == "stopping"
    web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.master("web") not in (0, master), "it is started")
    wait_until(lambda: host.at_rest("web"), "it is one family")
