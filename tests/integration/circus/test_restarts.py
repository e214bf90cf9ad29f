"""Every way that Circus has to restart a watcher is a handover of a managed one."""

from __future__ import annotations

import signal

import pytest

from ...kit.circus_host import CircusHost
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import wait_until

OTHER = """
[watcher:other]
cmd = sleep 1000
copy_env = True
"""


@pytest.fixture
def host(circusd: CircusHost) -> CircusHost:
    """A circusd that has one managed program, and an ordinary watcher besides; not started."""
    circusd.more = OTHER
    return circusd


WAYS = {
    "restart": ("restart", "web"),
    "glob": ("restart", "*e*"),
    "all": ("restart",),
    "reload": ("reload", "web"),
    "sequential": ("reload", "web", "--sequential"),
    "terminate": ("reload", "web", "--terminate"),
    "reload all": ("reload",),
}


@pytest.mark.parametrize("way", [*WAYS, "HUP", "max_age"])
def test_each_way_to_restart(host: CircusHost, web: Program, way: str) -> None:
    """Under load none of them fails a request, and each ends with a new master."""
    host.start()
    old = host.master("web")
    web.write("v2")
    with Load(web.address) as load:
        if way == "HUP":
            kill(look(host.pid()), signal.SIGHUP)
        elif way == "max_age":
            assert host.call("set", name="web", options={"max_age_variance": 0, "max_age": 1})
        else:
            assert host.ctl(*WAYS[way]).ok
        wait_until(lambda: host.master("web") not in (0, old), "a new master is adopted")
        if way == "max_age":
            host.call("set", name="web", options={"max_age": 0})
        host.wait_for_rest("web")
        wait_until(lambda: web.answers("v2"), "the new release answers")
    assert load.failures == []


@pytest.mark.parametrize("way", ["restart", "glob", "reload"])
def test_the_answer_to_one_who_waits(host: CircusHost, web: Program, way: str) -> None:
    """It comes when the new master is adopted, and tells what stopped and what started."""
    host.start()
    old = host.master("web")
    outcome = host.ctl("--json", *WAYS[way], "--waiting")
    new = host.master("web")
    assert f'"stopped": [{old}]' in outcome.text and f'"started": [{new}]' in outcome.text
    web.write("v2", "raises")
    outcome = host.ctl(*WAYS[way], "--waiting")
    assert not outcome.ok and outcome.text.startswith("error: web: the new ")
    assert "release v2 is broken" in outcome.text
    assert host.wait_for_rest("web") == new


def test_restart_of_all_restarts_the_others(host: CircusHost) -> None:
    """An ordinary watcher is stopped and started, in the restart of all and by pattern."""
    host.start()
    for words in (("restart", "*", "--waiting"), ("restart",)):
        others, old = host.master("other"), host.master("web")
        host.ctl(*words)
        wait_until(lambda o=others: host.master("other") not in (0, o), "other is restarted")
        wait_until(lambda o=old: host.master("web") not in (0, o), "web is handed over")
        wait_until(host.driver_is_there, "the driver is there")
        host.wait_for_rest("web")


def test_send_hup_keeps_its_meaning(host: CircusHost, web: Program) -> None:
    """With send_hup a reload sends HUP to the master; restart is a handover all the same."""
    web.host_options["send_hup"] = "True"
    host.start()
    old = host.master("web")
    line = "done reloading config_file"
    for count, words in enumerate((("reload", "web"), ("reload",)), 1):
        assert host.ctl(*words).ok
        wait_until(lambda n=count: host.log("web").count(line) == n, "HUP has come")
    assert host.wait_for_rest("web") == old and host.ended("web") == []
    assert host.restart("web").ok and host.master("web") != old


def test_circusd_is_not_held_up(host: CircusHost, web: Program) -> None:
    """While a new master boots every other command works, and the dead are replaced as ever."""
    host.circus = "check_delay = 1"
    host.start()
    web.write("v2", "gated")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "booting")
    for words in (("list",), ("stats",), ("options", "web"), ("signal", "web", "USR1")):
        assert host.ctl(*words).ok, words
    assert host.ctl("restart", "other", "--waiting").ok
    assert host.ctl("incr", "other", "--waiting").text == "2\n"
    assert host.ctl("stop", "other", "--waiting").ok and host.begin("other").ok
    other = host.master("other")
    kill(look(other))
    wait_until(lambda: other not in host.ask("list", name="other")["pids"], "it is seen")
    wait_until(lambda: len(host.ask("list", name="other")["pids"]) == 2, "replaced")
    assert host.phase("web") == "booting"
    web.open_gate()
    host.wait_for_rest("web")
    assert web.answers("v2")


def test_without_the_plugin_restart_fails_and_costs_nothing(host: CircusHost, web: Program) -> None:
    """The caller hears why, in each way that can tell; the master goes on."""
    host.start()
    old = host.master("web")
    host.stop_driver()
    with Load(web.address) as load:
        for words in (("restart", "web"), ("restart", "web", "--waiting"), ("reload", "web")):
            outcome = host.ctl(*words)
            assert not outcome.ok, outcome.text
            assert "plugin:unicorn is not running" in outcome.text
            assert "circusctl start plugin:unicorn" in outcome.text
    assert load.failures == [] and host.master("web") == old
    host.begin_driver()
    assert host.restart("web").ok


def test_the_answer_to_a_reload_of_all(host: CircusHost, web: Program) -> None:
    """It tells of the handovers, with `--waiting` of their end, whatever else is reloaded."""
    host.start()
    old, other = host.master("web"), host.master("other")
    web.write("v2", "raises")
    outcome = host.ctl("reload", "--waiting")
    assert not outcome.ok and outcome.text.startswith("error: web: the new ")
    assert host.wait_for_rest("web") == old and host.master("other") != other
    web.write("v3")
    assert host.ctl("reload", "--waiting").ok
    assert host.master("web") != old and web.answers("v3")
    assert [record["phase"] for record in host.ended("web")] == ["failed", "done"]
    host.wait_for_rest("web")


def test_two_restarts_at_once(host: CircusHost, web: Program) -> None:
    """The second follows the first; a third is the second's."""
    host.start()
    web.write("v2", "gated")
    for _ in range(3):
        assert host.restart("web", wait=False).ok
        host.wait_for_phase("web", "booting")
    web.open_gate()
    wait_until(lambda: [e["number"] for e in host.ended("web")] == [1, 2], "two handovers")
    host.wait_for_rest("web")
    assert [record["phase"] for record in host.ended("web")] == ["done", "done"]
