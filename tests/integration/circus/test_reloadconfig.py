"""Watchers and the plugin that come and go while circusd runs."""

from __future__ import annotations

from ...kit.circus_host import CircusHost
from ...kit.load import Load
from ...kit.programs import Program
from ...waiting import wait_until
from .shared import hand_over


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
