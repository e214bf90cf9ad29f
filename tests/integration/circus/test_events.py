"""What Circus shows and publishes of a managed watcher, and who acts upon that."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...kit.circus_host import CircusHost
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program, free_port
from ...waiting import Later, Watch, wait_until
from ..scenes import slow_watcher
from .shared import hand_over

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
