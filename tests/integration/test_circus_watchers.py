"""A managed watcher is in all else what Circus says a watcher is."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ..waiting import Later, Watch, stays, wait_until
from .circus_host import DRIVER, CircusHost
from .load import Load
from .processes import alive, kill, look
from .programs import Program, free_port
from .scenes import held_request, reach, slow_watcher

FLAPPING = """
[plugin:flapping]
use = circus.plugins.flapping.Flapping
attempts = 2
window = 10
retry_in = 1
max_retry = 1
"""

WATCHDOG = """
[plugin:watchdog]
use = circus.plugins.watchdog.WatchDog
loop_rate = 0.5
max_count = 20
port = {port}
watchers_regex = ^web
watchers_graceful_timeout = 2
"""
HEARTBEAT = """
require "socket"
Thread.new {{ me = $$; loop {{
  UDPSocket.new.send("#{{$$}};#{{Time.now.to_i}}", 0, "127.0.0.1", {port}) if $$ == me; sleep 0.2
}} }}
"""

HOOKS = """
def hook(watcher, arbiter, hook_name, **kwargs):
    with open({path!r}, "a") as file:
        file.write(hook_name + " " + str(kwargs.get("pid", kwargs.get("process_pid", ""))) + "\\n")
    return True
"""


@pytest.fixture
def host(circusd: CircusHost) -> CircusHost:
    """A circusd that has one managed program; not started."""
    return circusd


def hand_over(host: CircusHost) -> int:
    """Hand web over, and return its new master."""
    outcome = host.restart("web")
    assert outcome.ok, outcome.text
    return host.wait_for_rest("web")


def test_no_poll_finds_it_without_its_master(host: CircusHost, web: Program) -> None:
    """list, status, stats and options name one living master at every moment of handovers."""
    host.start()
    lies: list[Any] = []

    truths: dict[str, Callable[[Any], bool]] = {
        "list": lambda answer: len(answer["pids"]) == 1,
        "stats": lambda answer: len(answer["info"]) == 1 and "No such" not in str(answer),
        "status": lambda answer: bool(answer["status"] == "active"),
        "numprocesses": lambda answer: bool(answer["numprocesses"] == 1),
        "options": lambda answer: dict(answer["options"])["numprocesses"] == 1,
    }

    def poll() -> None:
        for command, is_true in truths.items():
            answer = host.ask(command, name="web")
            if answer["status"] == "error" or not is_true(answer):
                lies.append((command, answer))

    with Watch(poll):
        for release in ("v2", "v3", "v4"):
            web.write(release)
            hand_over(host)
    assert lies == []


def test_events(host: CircusHost) -> None:
    """Every phase is published, with the pids; the old master's end is no crash."""
    host.start()
    old = host.master("web")
    with host.events("watcher.web.") as events:
        new = hand_over(host)
        wait_until(lambda: any(e.topic.endswith(".spawn") for e in events), "the new master's")
        wait_until(lambda: any(e.message.get("phase") == "done" for e in events), "the end")
    phases = [e.message["phase"] for e in events if e.topic == "watcher.web.handover"]
    assert list(dict.fromkeys(phases)) == [
        "requested", "checking", "re-executing", "booting", "draining", "done",
    ]  # fmt: skip
    done = next(e.message for e in events if e.message.get("phase") == "done")
    assert (done["old_pid"], done["new_pid"], done["reason"]) == (old, new, "")
    pids = [(e.topic, e.message["process_pid"]) for e in events]  # what Circus's plugins look for
    others = [told for told in pids if told[0] != "watcher.web.handover"]
    assert others == [("watcher.web.kill", old), ("watcher.web.spawn", new)]


def test_the_reason_of_a_failure_is_published(host: CircusHost, web: Program) -> None:
    """The `failed` event says why."""
    host.start()
    web.write("v2", "raises")
    with host.events("watcher.web.handover") as events:
        assert not host.restart("web").ok
        wait_until(lambda: events and events[-1].message["phase"] == "failed", "failed")
    assert "new" in events[-1].message["reason"] and events[-1].message["seconds"] > 0


def test_a_crash_is_told_at_once_and_truly(host: CircusHost) -> None:
    """`reap` has the adopted master's own exit code, at once, and one master takes its place."""
    host.circus = "check_delay = 1"
    gate = slow_watcher(host)
    host.start()
    new = hand_over(host)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 1.2, "the master is no newcomer")
    with host.events("watcher.web.") as events:
        # While it stops a watcher, Circus does not look at its processes.
        with Later(lambda: host.ctl("stop", "slow", "--waiting")):
            wait_until(lambda: host.state("slow") == "stopping", "the slow one is stopping")
            kill(look(new), signal.SIGKILL)
            wait_until(lambda: any(e.topic.endswith(".spawn") for e in events), "another one")
            assert host.state("slow") == "stopping"
            gate.touch()
        last = host.wait_for_rest("web")
    told = [(e.topic, e.message.get("process_pid"), e.message.get("exit_code")) for e in events]
    assert told == [("watcher.web.reap", new, -9), ("watcher.web.spawn", last, None)]


def test_flapping_does_not_fight_it(host: CircusHost, web: Program) -> None:
    """With Circus's flapping plugin, many handovers in a row are no crashes in a row."""
    host.more = FLAPPING
    host.start()
    wait_until(lambda: host.master("plugin:flapping"), "the flapping plugin is there")
    with Load(web.address) as load:
        masters = {hand_over(host) for _ in range(4)}
    assert len(masters) == 4 and load.failures == [] and host.state("web") == "running"


def test_watchdog_does_not_fight_it(host: CircusHost, web: Program) -> None:
    """Circus's watchdog plugin kills the old master, which is none any more, and not the new."""
    port = free_port()
    web.settings = HEARTBEAT.format(port=port)
    web.write("v1")
    host.more = WATCHDOG.format(port=port)
    log = host.folder / "plugins.log"
    host.circus = f"logoutput = {log}"
    host.start()
    old = host.master("web")
    wait_until(lambda: f"pid:{old}" in log.read_text(), "the old master is watched")
    with Load(web.address) as load:
        new = hand_over(host)
        wait_until(lambda: f"pid:{old} is not responding" in log.read_text(), "it is missed")
        wait_until(lambda: f"new monitored pid for web:{new}" in log.read_text(), "it is known")
    assert load.failures == [] and host.wait_for_rest("web") == new
    assert f"pid:{new} is not" not in log.read_text()
    assert "no process_pid" not in log.read_text()


def test_workers_come_and_go(host: CircusHost) -> None:
    """incr, decr and set numprocesses change the workers, one master stays, and tell how many."""
    host.start()
    master = host.master("web")

    def workers() -> int:
        return len(host.workers("web"))

    assert host.ctl("incr", "web", "--waiting").text == "3\n" and workers() == 3
    assert host.ctl("incr", "web", "7", "--waiting").text == "10\n"
    assert workers() == 10
    assert host.ctl("decr", "web", "6", "--waiting").text == "4\n"
    wait_until(lambda: workers() == 4, "4 workers")
    assert host.ctl("decr", "web").ok
    wait_until(lambda: workers() == 3, "3 workers")
    assert host.ctl("set", "web", "numprocesses", "5").ok
    wait_until(lambda: workers() == 5, "5 workers")
    assert host.master("web") == master and host.ask("list", name="web")["pids"] == [master]


@pytest.mark.parametrize("web", ["unicorn", "gunicorn"], indirect=True)
def test_changes_of_workers_add_up(host: CircusHost, web: Program) -> None:
    """Those at the same time do, and those while workers are still to go; a singleton has them."""
    web.host_options["singleton"] = "True"
    host.start()
    every = [Later(lambda: host.call("incr", name="web", waiting=True)) for _ in range(4)]
    assert sorted(one.result()["numprocesses"] for one in every) == [3, 4, 5, 6]
    assert len(host.workers("web")) == 6
    assert host.ctl("decr", "web", "4", "--waiting").text == "2\n"
    wait_until(lambda: len(host.workers("web")) == 2, "2 workers")
    before = set(host.workers("web"))
    requests = [held_request(web), held_request(web)]
    fewest = {"unicorn": 0, "gunicorn": 1}[web.server]
    for left in (1, fewest, fewest):
        assert host.ctl("decr", "web", "--waiting").text == f"{left}\n"
    assert host.ctl("set", "web", "numprocesses", "2").ok
    assert host.ctl("incr", "web", "--waiting").text == "3\n"
    web.open_gate()
    assert [request.answer().outcome for request in requests] == ["ok", "ok"]
    wait_until(lambda: not before <= set(host.workers("web")), "one has gone")
    wait_until(lambda: len(host.workers("web")) == 3, "3 workers")


@pytest.mark.parametrize("web", ["unicorn", "gunicorn"], indirect=True)
def test_a_helper_of_the_master_is_not_counted(host: CircusHost, web: Program) -> None:
    """A process that a preloaded app has forked beside the workers is none."""
    web.preload = True
    web.write("v1", "helper")
    host.launch()
    wait_until(web.answers, "it answers")
    assert host.ctl("incr", "web", "--waiting").text == "3\n"
    assert host.ctl("decr", "web", "--waiting").text == "2\n"


def test_hooks_of_the_users_own(host: CircusHost, web: Program) -> None:
    """They are called for each master that ends and each that comes, with its pid."""
    path = host.folder / "hooked"
    (host.folder / "hooks.py").write_text(HOOKS.format(path=str(path)))
    names = ("before_start", "after_start", "before_spawn", "after_spawn", "before_stop")
    names += ("after_stop", "before_reap", "after_reap", "before_signal")
    web.host_options.update({f"hooks.{name}": "hooks.hook" for name in names})
    web.host_options["copy_path"] = "True"
    host.mark["PYTHONPATH"] = str(host.folder)
    host.start()
    old = host.master("web")
    new = hand_over(host)
    wait_until(lambda: f"after_spawn {new}" in path.read_text(), "the last hook")
    assert path.read_text().splitlines() == [
        "before_start ", "before_spawn ", f"after_spawn {old}", "after_start ",
        f"before_reap {old}", f"after_reap {old}", f"after_spawn {new}",
    ]  # fmt: skip
    assert host.stop("web").ok
    assert f"before_signal {new}" in path.read_text().splitlines()


@pytest.mark.parametrize("children", ["True", "False"])
@pytest.mark.parametrize("how", ["stop", "kill", "rm", "quit", "signal"])
def test_an_end_in_mid_handover(host: CircusHost, web: Program, how: str, children: str) -> None:
    """Both masters end: by the stop signal or, where it is not heeded, by SIGKILL."""
    web.host_options.update({"stop_children": children, "graceful_timeout": "2"})
    host.start()
    old = host.master("web")
    web.write("v2", "gated")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "booting")
    first = host.family("web")
    if how == "quit":
        host.shutdown()
    elif how == "signal":
        assert host.signal("web", "TERM").ok
    else:
        assert host.ctl(how, "web", "--waiting").ok
    wait_until(lambda: not any(alive(found) for found in first), "the family has ended")
    web.open_gate()
    if how in ("signal", "kill"):
        assert host.wait_for_rest("web") != old  # it was not stopped, so Circus starts it again
    else:
        host.wait_for_nobody("web")


def test_stuck_masters_are_killed_in_mid_handover(host: CircusHost, web: Program) -> None:
    """After graceful_timeout the whole of both families is killed."""
    web.host_options["graceful_timeout"] = "1"
    host.start()
    web.write("v2", "gated")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "booting")
    for found in host.family("web"):
        kill(found, signal.SIGSTOP)
    assert host.ctl("stop", "web", "--waiting").ok
    host.wait_for_nobody("web")
    assert host.state("web") == "stopped"


def test_removed_while_others_look(host: CircusHost, web: Program) -> None:
    """A watcher is known until its last process has ended, though Circus shows it no more."""
    web.host_options["graceful_timeout"] = "2"
    host.start()
    reach(host, "booting")
    new = host.new_master("web")
    kill(new, signal.SIGSTOP)
    with Watch(lambda: host.ask("unicorn", do="status")):
        assert host.ctl("rm", "web", "--waiting").ok
    host.wait_for_nobody("web")
    assert "AttributeError" not in host.host_log() + host.output()


def test_added_removed_and_added_again(host: CircusHost, web: Program) -> None:
    """A watcher that comes at run time is managed as soon as Circus has it."""
    host.start()
    web.write("v2")
    hand_over(host)
    assert host.ctl("rm", "web", "--waiting").ok
    host.wait_for_nobody("web")
    for release in ("v3", "v4"):
        options = {"working_dir": str(web.folder), "stop_signal": 3, "copy_env": True}
        added = {"cmd": web.command_line, "start": True, "options": options}
        # While Circus is still removing it, it refuses.
        wait_until(lambda a=added: host.call("add", name="web", **a).get("status") == "ok", "added")
        assert host.ctl("incr", "web", "--waiting").text == "3\n"
        assert len(host.masters("web")) == 1
        wait_until(web.answers, "it serves")
        assert host.ctl("decr", "web", "--waiting").text == "2\n"
        wait_until(lambda: host.at_rest("web"), "all workers")
        web.write(release)
        with Load(web.address) as load:
            hand_over(host)
        assert load.failures == [] and web.answers(release)
        assert host.ctl("rm", "web", "--waiting").ok
        host.wait_for_nobody("web")


def test_reloadconfig_brings_and_takes_the_plugin(host: CircusHost, web: Program) -> None:
    """The plugin may come to a circusd that runs, without touching the master, and go again."""
    plugin, host.plugin = host.plugin, ""
    host.launch()
    wait_until(web.answers, "web answers")
    wait_until(lambda: host.at_rest("web"), "web has all its workers")
    old = host.master("web")
    host.plugin = plugin
    host.write_conf()
    assert host.ctl("reloadconfig", "--waiting").ok
    wait_until(host.driver_is_there, "the driver is there")
    assert host.master("web") == old
    with Load(web.address) as load:
        new = hand_over(host)
    assert load.failures == []
    host.plugin = ""
    host.write_conf()
    assert host.ctl("reloadconfig", "--waiting").ok
    assert host.master("web") == new
    assert host.ctl("restart", "web", "--waiting").ok
    assert host.master("web") not in (0, new)


def test_reloadconfig_with_a_warmup_delay(host: CircusHost) -> None:
    """A plugin that it brings, or brings anew, is the driver before Circus shows its watcher."""
    host.circus = "warmup_delay = 2"
    plugin, host.plugin = host.plugin, ""
    host.launch()
    host.plugin = plugin
    for soak in ("0.1", "0.2"):
        host.options["soak"] = soak
        host.write_conf()
        # While Circus waits after it has started a watcher, it refuses.
        wait_until(lambda: host.ctl("reloadconfig", "--waiting").ok, "done")
        wait_until(host.driver_is_there, "the driver is there")
    assert host.restart("web").ok and "turned away" not in host.host_log()


def test_reloadconfig_with_mistakes(host: CircusHost, web: Program) -> None:
    """Of several processes it starts none; a watcher that is gone is told of."""
    host.circus = "check_delay = 1"
    host.start()
    old = host.master("web")
    web.host_options["numprocesses"] = "2"
    host.write_conf()
    assert host.ctl("reloadconfig", "--waiting").ok
    assert "[watcher:web] numprocesses: must be 1 for a managed watcher, not 2" in host.host_log()
    with host.events("watcher.web.spawn") as events:
        assert hand_over(host) != old
        wait_until(lambda: events, "the new master is told of")
    assert len(events) == 1 and host.ask("numprocesses", name="web")["numprocesses"] == 1
    programs, host.programs = host.programs, {}
    host.options["watchers"] = "web"
    host.write_conf()
    assert host.ctl("reloadconfig", "--waiting").ok
    assert "[plugin:unicorn] watchers: there is no [watcher:web]" in host.host_log()
    host.programs = programs
    host.wait_for_nobody("web")


def test_given_back_to_circus(host: CircusHost, web: Program) -> None:
    """Without its plugin it is an ordinary watcher; removed without a stop it is nobody's."""
    host.circus = "check_delay = 1"
    host.more = "\n[watcher:other]\ncmd = sleep 1000\ncopy_env = True\n"
    host.start()
    old, other = host.master("web"), host.master("other")
    assert host.ctl("rm", DRIVER, "--waiting").ok
    kill(look(other))
    wait_until(lambda: host.master("other") not in (0, other), "Circus looks at its watchers")
    assert host.ctl("restart", "web", "--waiting").ok
    wait_until(lambda: host.at_rest("web"), "another master")
    assert host.master("web") != old
    assert "TypeError" not in host.host_log() + host.output()


def test_removed_without_a_stop(host: CircusHost) -> None:
    """Its master runs on, and is not replaced when it ends."""
    host.circus = "check_delay = 1"
    host.start()
    (old,) = host.masters("web")
    wait_until(lambda: time.time() - psutil.Process(old.pid).create_time() > 1.2, "no newcomer")
    assert host.call("rm", name="web", nostop=True)["status"] == "ok"
    assert alive(old)
    kill(old, signal.SIGQUIT)
    wait_until(lambda: not alive(old), "it has ended")
    stays(lambda: not host.masters("web"), "no master is started")


MISTAKES = {
    "unknown watcher": ({"watchers": "web,api"}, {}, "[plugin:unicorn] watchers: there is no"),
    "space": ({"watchers": "web, web"}, {}, "[plugin:unicorn] watchers: 'web, web' has a space"),
    "unknown option": ({"sok": "1"}, {}, "[plugin:unicorn] sok: unknown option"),
    "bad value": ({"web.soak": "long"}, {}, "[plugin:unicorn] web.soak: must be a number of"),
    "numprocesses": ({}, {"numprocesses": "2"}, "[watcher:web] numprocesses: must be 1"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_one_clear_line(host: CircusHost, web: Program, kind: str) -> None:
    """It is in circusd's log, once, and circusd serves on."""
    host.options, web.host_options, line = MISTAKES[kind]
    web.settings, web.pidfile = f"listen '127.0.0.1:{web.port}', reuseport: true", False
    web.write("v1")
    plugin, host.plugin = host.plugin, ""
    host.launch()
    host.plugin = plugin
    host.write_conf()
    wait_until(web.answers, "web answers")
    # While Circus is still starting its watchers, it refuses.
    wait_until(lambda: host.ctl("reloadconfig", "--waiting").ok, "done")
    wait_until(lambda: line in host.host_log(), "the line is in the log")
    errors = [text for text in host.host_log().splitlines() if re.search(r"\[ERROR\] \[", text)]
    assert len(errors) == 1, errors
    if kind == "space":
        outcome = host.ctl("restart", "web")
        assert not outcome.ok and "has a space" in outcome.text
    if kind == "numprocesses":
        masters = host.ask("list", name="web")["pids"]
        outcome = host.ctl("restart", "web")
        assert not outcome.ok and "numprocesses: must be 1" in outcome.text
        assert host.ask("list", name="web")["pids"] == masters


def test_an_option_for_the_next_start(host: CircusHost, web: Program) -> None:
    """What is set begins no handover; circusd's log says when it comes about."""
    web.host_options.update({"stdout_stream.class": "", "stdout_stream.filename": ""})
    host.start()
    old = host.master("web")
    for key, value, told in (
        ("working_dir", "/", "in force with the next restart that succeeds"),
        ("stdout_stream.filename", f"{host.folder}/web.out", "this is for the next start"),
    ):
        assert host.ctl("set", "web", key, value).ok
        wait_until(lambda line=f"web: set {key}: {told}": line in host.host_log(), key)
    assert host.wait_for_rest("web") == old and host.ended("web") == []


def test_a_stranger_is_no_driver(host: CircusHost) -> None:
    """Only the plugin that circusd started drives; circusd's log tells of others."""
    host.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0circus_unicorn-{host.folder.name}")
        listener.listen()
        answer = host.call("unicorn", do="connect", address=host.folder.name)
    assert "not the plugin that circusd started" in answer["reason"]
    assert f"pid {os.getpid()} is turned away" in host.host_log() and host.driver_is_there()


def test_the_command(host: CircusHost) -> None:
    """`circus_unicorn status` tells of handovers, to people and scripts; it refuses strangers."""
    host.start()
    old = host.master("web")
    new = hand_over(host)
    assert f"done, pid {old} -> {new} in" in host.unicorn("status").text
    assert f'"pid": {new}' in host.unicorn("status", "web", "--json").text
    outcome = host.unicorn("status", "nobody")
    assert not outcome.ok and "nobody is not managed" in outcome.text


def test_no_descriptor_leaks(host: CircusHost, web: Program) -> None:
    """After many handovers, good and bad, circusd has as many open files as after the first."""
    host.start()
    hand_over(host)
    opened = Path(f"/proc/{host.pid()}/fd")
    before = len(list(opened.iterdir()))
    for release, kind in (("v2", "good"), ("v3", "raises"), ("v4", "good")):
        web.write(release, kind)
        host.restart("web")
        host.wait_for_rest("web")
    kill(look(host.driver()))
    wait_until(host.driver_is_there, "the next driver is there")
    wait_until(lambda: len(list(opened.iterdir())) <= before, "no descriptor was kept")


def test_a_plugin_removed_in_mid_handover(host: CircusHost, web: Program) -> None:
    """Without its plugin a watcher with two masters still knows both, and stop ends them."""
    web.host_options["graceful_timeout"] = "5"
    host.start()
    reach(host, "booting")
    assert host.ctl("rm", "plugin:unicorn", "--waiting").ok
    wait_until(lambda: not host.driver(), "the driver has gone")
    assert len(host.masters("web")) == 2 and web.answers("v1")
    assert host.stop("web").ok
    host.wait_for_nobody("web")


def test_a_stop_behind_a_kill(host: CircusHost, web: Program) -> None:
    """It cuts no request either: both wait until the last one has been answered."""
    host.start()
    request = held_request(web)
    with Later(lambda: host.ctl("--timeout", "30", "kill", "web", "--waiting")):
        wait_until(lambda: len(host.workers("web")) < 2, "the master was told to quit")
        # Circus refuses it while it looks at its watchers.
        wait_until(lambda: host.ctl("stop", "web").ok, "the stop is under way")
        web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.state("web") == "stopped", "it is stopped")
    assert not host.family("web")
