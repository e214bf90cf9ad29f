"""`circusctl restart` without a name: circusd starts anew, and managed masters outlive that."""

from __future__ import annotations

import pytest

from ...kit.circus_host import DRIVER, CircusHost
from ...kit.host import Outcome
from ...kit.load import Load
from ...kit.processes import alive, kill, look
from ...kit.programs import BIN, Program
from ...waiting import Later, Watch, wait_until
from ..scenes import reach, slow_watcher


@pytest.fixture
def host(circusd: CircusHost) -> CircusHost:
    """A circusd that has one managed program; not started."""
    return circusd


def start_anew(host: CircusHost) -> None:
    """Restart circusd, and wait until its driver is another one."""
    driver = host.driver()
    assert host.ctl("restart").ok
    wait_until(lambda: host.driver() not in (0, driver), "circusd is there again")
    wait_until(host.driver_is_there, "the driver is there")


def test_a_watcher_that_was_added(host: CircusHost, web: Program) -> None:
    """It is stopped, and started as the file says; circusd takes commands as ever."""
    host.start()
    assert host.ctl("rm", "web", "--waiting").ok
    host.wait_for_nobody("web")
    options = {"working_dir": str(web.folder), "stop_signal": 3, "copy_env": True}
    added = {"cmd": web.command_line, "start": True, "options": options}
    wait_until(lambda: host.call("add", name="web", **added).get("status") == "ok", "added")
    wait_until(lambda: host.at_rest("web"), "web is there")
    old = host.master("web")
    start_anew(host)
    wait_until(lambda: host.at_rest("web"), "web is there")
    assert host.master("web") != old and host.restart("web").ok


@pytest.mark.parametrize("web", ["gunicorn"], indirect=True)
def test_sockets_of_circus(host: CircusHost, web: Program) -> None:
    """They end with the arbiter, so the program does too; a handover of them is refused.

    After a crash Circus gives them to the next master: this plugin has none to give.
    """
    web.pidfile = False
    web.host_options["use_sockets"] = "True"
    web.command = f"{BIN}/gunicorn -c {web.conf} -b fd://$(circus.sockets.web) app:application"
    web.write("v1")
    host.more = f"\n[socket:web]\nhost = 127.0.0.1\nport = {web.port}\n"
    host.options["hold"] = "300"
    host.start()
    outcome = host.ctl("restart", "web")
    assert not outcome.ok and "[watcher:web] use_sockets: " in outcome.text
    master = look(host.master("web"))
    assert master
    kill(master)
    wait_until(lambda: host.at_rest("web") and web.answers("v1"), "it answers after a crash")
    web.write("v2")
    start_anew(host)
    wait_until(lambda: host.at_rest("web") and web.answers("v2"), "the new release answers")


def test_a_watcher_with_several_processes(host: CircusHost, web: Program) -> None:
    """All of them are stopped, none is left behind."""
    web.host_options["numprocesses"] = "2"
    web.settings, web.pidfile = f"listen '127.0.0.1:{web.port}', reuseport: true", False
    web.write("v1")
    host.launch()
    wait_until(web.answers, "web answers")
    before = host.masters("web")
    assert len(before) == 2
    start_anew(host)
    wait_until(lambda: not any(alive(found) for found in before), "the old ones have ended")
    wait_until(lambda: len(host.masters("web")) == 2, "two new ones")


@pytest.mark.parametrize("web", ["gunicorn"], indirect=True)
def test_a_handover_that_ends_while_others_stop(host: CircusHost, web: Program) -> None:
    """Its master is watched as ever: it is adopted at once, and handed over in the end."""
    web.pidfile = False  # in it a gunicorn may find a killed master that is not reaped yet
    web.write("v1")
    gate = slow_watcher(host)
    host.start()
    old = host.master("web")
    request = reach(host, "draining")
    lies: list[object] = []

    def poll() -> None:
        answer = host.ask("list", name="web")
        if len(answer.get("pids", [])) != 1:
            lies.append(answer)

    with Watch(poll), Load(web.address) as load:
        assert host.ctl("restart").ok
        wait_until(lambda: not host.driver(), "circusd stops the others")
        kill(look(old))
        wait_until(lambda: host.master("web") not in (0, old), "it is adopted")
        adopted = host.master("web")
        web.answer.touch()  # of the held request, which the dead master's worker still has
        gate.touch()
        wait_until(lambda: host.master("web") not in (0, adopted), "it is handed over")
        wait_until(host.driver_is_there, "the driver is there")
        host.wait_for_rest("web")
    assert lies == [] and load.failures == []
    assert request and request.answer().outcome == "ok"


def test_a_watcher_that_starts_before_the_plugin(host: CircusHost, web: Program) -> None:
    """By its priority. It is handed over in the restart of all, as in that of circusd."""
    web.host_options["priority"] = "10"
    host.start()
    old, driver = host.master("web"), host.driver()
    outcome = host.ctl("restart", "*", "--waiting")
    assert outcome.ok, outcome.text
    new = host.wait_for_rest("web")
    assert new != old and host.driver() == driver
    web.write("v2")
    start_anew(host)
    wait_until(lambda: web.answers("v2"), "the new release answers")
    assert host.wait_for_rest("web") != new


def test_a_slow_watcher_in_the_restart_of_all(host: CircusHost, web: Program) -> None:
    """Handovers do not wait for it, as the plugin goes on; who waits for all does."""
    gate = slow_watcher(host)
    host.start()
    old, driver = host.master("web"), host.driver()
    answers: list[Outcome] = []
    words = ("restart", "*", "--waiting")
    with Later(lambda: answers.append(host.ctl(*words))):
        wait_until(lambda: host.master("web") != old, "it is handed over")
        new = host.wait_for_rest("web")
        assert host.driver() == driver and not answers
        gate.touch()
    assert answers[0].ok
    wait_until(lambda: host.ctl("restart", DRIVER, "--waiting").ok, "it is restarted")
    wait_until(host.driver_is_there, "the driver is there")
    assert host.driver() != driver and host.master("web") == new


def test_one_who_waits_for_a_handover(host: CircusHost, web: Program) -> None:
    """They are told that circusd starts anew, and the handover goes on."""
    host.start()
    old = host.master("web")
    web.write("v2", "gated")
    with Later(lambda: host.restart("web")) as restart:
        host.wait_for_phase("web", "booting")
        start_anew(host)
        assert "circusd starts anew" in restart.result().text
    web.open_gate()
    wait_until(lambda: web.answers("v2"), "the new release answers")
    assert host.wait_for_rest("web") != old


def test_circusd_that_cannot_start_anew(host: CircusHost, web: Program) -> None:
    """It ends, as Circus does then; what was to outlive it is stopped."""
    host.start()
    host.more = "\n[plugin:bad]\nuse = no.such.Plugin\n"
    host.write_conf()
    host.ctl("restart")
    host.wait_for_end()
    host.wait_for_nobody("web")
