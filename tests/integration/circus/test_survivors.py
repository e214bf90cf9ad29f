"""circusd is killed, and started again: what is Circus's own of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.circus_host import CircusHost
from ...kit.load import Load
from ...kit.processes import end, look
from ...kit.programs import Program
from ...waiting import wait_until
from .shared import hand_over

COLOUR = "\n[env:web]\nCOLOUR = {}\n"


def colour(pid: int) -> str:
    """What a process was started with, as far as it is about this."""
    words = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    return next((word[7:] for word in words if word.startswith("COLOUR=")), "")


def killed_and_painted(host: CircusHost) -> int:
    """Start web, change its section while circusd is dead, start that; return the master."""
    host.more = COLOUR.format("red")
    host.start()
    master = host.master("web")
    host.kill()
    host.was_killed = True
    host.more = COLOUR.format("blue")
    host.launch()
    assert host.master("web") == master
    assert "its settings were changed since its master was started" in host.host_log()
    return master


def test_changed_settings_come_by_a_restart(host: CircusHost, web: Program) -> None:
    """What ran is in force until then, also for a crash and a second kill."""
    master = killed_and_painted(host)
    held = host.host_log().count("is held")
    host.kill_and_start_again()
    wait_until(lambda: host.host_log().count("is held") > held, "its sockets are held again")
    with Load(web.address) as load:
        end(look(master))
        wait_until(lambda: host.at_rest("web"), "it is started again")
        assert colour(host.master("web")) == "red"
        web.write("v2")
        assert colour(hand_over(host)) == "blue"
    assert not load.failures
    assert "starting (spawn: [watcher:web] env changed)" in host.host_log()


def test_changed_settings_come_by_reloadconfig(host: CircusHost, web: Program) -> None:
    """It finds the section changed, hands over by spawn, and then finds it unchanged."""
    killed_and_painted(host)
    with Load(web.address) as load:
        assert host.ctl("reloadconfig", "--waiting").ok
        new = host.wait_for_rest("web")
        assert colour(new) == "blue"
        assert host.ctl("reloadconfig", "--waiting").ok
        assert host.wait_for_rest("web") == new
    assert not load.failures


def test_changed_settings_that_fail(host: CircusHost, web: Program) -> None:
    """What ran stays in force, and the next restart tries the newer ones again."""
    killed_and_painted(host)
    web.write("v2", "raises")
    assert not host.restart("web").ok
    assert "set back to what runs: env" in host.host_log()
    web.write("v3")
    assert colour(hand_over(host)) == "blue"


def test_a_stop_and_a_start_bring_changed_settings(host: CircusHost) -> None:
    """The program is started as it is configured."""
    killed_and_painted(host)
    assert host.stop("web").ok and host.begin("web").ok
    wait_until(lambda: host.at_rest("web"), "it is started")
    assert colour(host.master("web")) == "blue"


def test_another_circusd_s_environment_is_no_change(host: CircusHost, web: Program) -> None:
    """`copy_env` gives the program what circusd has, which is another one's by now."""
    host.start()
    host.kill()
    host.was_killed = True
    host.mark["ELSEWHERE"] = "1"
    host.launch()
    hand_over(host)
    assert [ended["method"] for ended in host.ended("web")] == ["usr2"]


def test_circusd_s_own_restart_after_a_kill(host: CircusHost, web: Program) -> None:
    """`circusctl restart` without a name keeps a survivor, and hands it over."""
    host.start()
    host.kill_and_start_again()
    old = host.master("web")
    web.write("v2")
    with Load(web.address) as load:
        assert host.ctl("restart").ok
        wait_until(lambda: host.master("web") not in (0, old), "it is handed over")
        host.wait_for_rest("web")
    assert not load.failures and web.answers("v2")


@pytest.mark.parametrize("way", ["add", "reloadconfig"])
def test_a_watcher_that_is_started_later(host: CircusHost, web: Program, way: str) -> None:
    """One without `autostart` is taken over at once, and one that comes back when it is there."""
    web.host_options["autostart"] = "False"
    host.launch()
    assert host.begin("web").ok
    wait_until(lambda: host.at_rest("web"), "it is started")
    master = host.master("web")
    host.kill_and_start_again()
    assert host.master("web") == master and host.state("web") == "running"
    host.kill()
    del host.programs["web"]
    host.options["watchers"] = "web"
    host.launch()
    assert f"web is not configured any more, and runs on as pid {master}" in host.host_log()
    host.programs["web"] = web
    if way == "add":
        options = {"working_dir": str(web.folder), "stop_signal": 3, "copy_env": True}
        added = {"cmd": web.command_line, "start": True, "options": options}
        assert host.call("add", name="web", **added)["status"] == "ok"
    else:
        host.write_conf()
        assert host.ctl("reloadconfig", "--waiting").ok
    wait_until(lambda: host.master("web") == master, "it is taken over")
    assert hand_over(host) != master


def test_the_own_reader(host: CircusHost, web: Program) -> None:
    """With it an application that prints goes on while no circusd is there; nothing is lost."""
    host.options["own_reader"] = "yes"
    web.host_options.update({"stderr_stream.class": "", "stderr_stream.filename": ""})
    host.start()
    host.kill()
    host.was_killed = True
    for number in range(20):
        assert web.ask(f"/print/hostless-{number}").outcome == "ok"
    host.launch()
    wait_until(lambda: "hostless-19" in host.log("web"), "all is in the log")
    assert all(f"hostless-{number}\n" in host.log("web") for number in range(20))
    web.write("v2")
    hand_over(host)
    assert web.ask("/print/logged-by-the-next").outcome == "ok"
    wait_until(lambda: "logged-by-the-next" in host.log("web"), "its successor's output is read")


def test_killed_while_it_quits(host: CircusHost, web: Program) -> None:
    """What was ended with circusd goes on ending, and is started again: it is to run."""
    host.start()
    old = host.master("web")
    request = web.request("/held")
    assert host.call("quit")["status"] == "ok"
    wait_until(lambda: host.state("web") == "stopping", "it is being stopped")
    host.kill_and_start_again()
    wait_until(lambda: host.state("web") == "stopping", "it still is")
    web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.master("web") not in (0, old), "it is started again")
    wait_until(lambda: host.at_rest("web"), "it is one family")
