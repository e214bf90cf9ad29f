"""What is told of mistakes and strangers, and by the command `circus_unicorn`."""

from __future__ import annotations

import os
import re
import socket

import pytest

from ...kit.circus_host import CircusHost
from ...kit.programs import Program
from ...waiting import wait_until
from .shared import hand_over

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


def test_a_second_section(host: CircusHost, web: Program) -> None:
    """Its driver is not started over and over, and what it alone lists is not stopped."""
    host.options = {"watchers": "api"}
    host.plugin += "\n[plugin:unicorn2]\nuse = circus_unicorn.UnicornPlugin\nwatchers = web\n"
    host.launch()
    wait_until(web.answers, "web answers")
    wait_until(lambda: host.ask("status")["statuses"]["plugin:unicorn2"] == "stopped", "it ends")
    assert host.host_log().count("is turned away") == 1
    old = host.ask("list", name="web")["pids"]
    outcome = host.ctl("restart", "web")
    assert not outcome.ok and "name all watchers in [plugin:unicorn]" in outcome.text
    assert host.ask("list", name="web")["pids"] == old


def test_the_command(host: CircusHost) -> None:
    """`circus_unicorn status` tells of handovers, to people and scripts; it refuses strangers."""
    host.start()
    old = host.master("web")
    new = hand_over(host)
    assert f"done, pid {old} -> {new} in" in host.unicorn("status").text
    assert f'"pid": {new}' in host.unicorn("status", "web", "--json").text
    outcome = host.unicorn("status", "nobody")
    assert not outcome.ok and "nobody is not managed" in outcome.text
