"""Getting in and out, as docs/install.md says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..kit.circus_host import PLUGIN, CircusHost
from ..kit.load import Load
from ..kit.programs import BIN, Program
from ..waiting import wait_until
from .conftest import MakeHost
from .scenes import hand_over

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "host", "words"),
    [
        ("supervisor_unicorn", "Supervisor", ["--echo-conf", "web"]),
        ("supervisor_unicorn", "Supervisor", []),
        ("circus_unicorn", "Circus", ["status"]),
    ],
)
def test_a_python_without_the_host_is_told_in_one_line(
    command: str, host: str, words: list[str]
) -> None:
    """A command in a Python that lacks its host fails with one line that says what to install."""
    done = subprocess.run(
        [sys.executable, "-S", f"{BIN}/{command}", *words],  # -S: without site-packages
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{command}: {sys.executable} has no {host}; install")
    assert f"'unicorn-handover[{host.lower()}]'" in line


def without_sections(conf: str) -> str:
    """A configuration without the sections of the plugin."""
    ours = r"^\[(rpcinterface|eventlistener|ctlplugin|plugin):unicorn.*\]\n(.+\n)*"
    return re.sub(ours, "", conf, flags=re.MULTILINE)


def test_out_of_supervisor_and_in_again(make_supervisor: MakeHost, web: Program) -> None:
    """Without the sections, `update` ends the driver and no program; `reload` brings it back."""
    host = make_supervisor(web)
    host.start()
    whole = host.conf.read_text()
    with Load(web.address) as load:
        hand_over(host)
        adopted = host.master("web")
        host.conf.write_text(without_sections(whole))
        assert host.ctl("update").ok
        assert not host.driver_is_there() and host.master("web") == adopted
    assert load.failures == []
    assert host.ctl("restart", "web").text == "web: stopped\nweb: started\n"
    wait_until(web.answers, "the program answers")
    host.conf.write_text(whole)
    assert host.ctl("reload").ok
    wait_until(host.driver_is_there, "the driver is there")
    wait_until(lambda: host.at_rest("web"), "the program has all its workers")
    hand_over(host, release="v3")


def test_into_circus_and_out_again(circusd: CircusHost, web: Program) -> None:
    """`reloadconfig` switches the plugin on and off, and touches no program."""
    circusd.plugin = ""
    circusd.start()
    circusd.plugin = PLUGIN
    circusd.write_conf()
    with Load(web.address) as load:
        assert circusd.ctl("reloadconfig", "--waiting").ok
        wait_until(circusd.driver_is_there, "the driver is there")
        hand_over(circusd)
        adopted = circusd.master("web")
        circusd.conf.write_text(without_sections(circusd.conf.read_text()))
        assert circusd.ctl("reloadconfig", "--waiting").ok
        told = circusd.unicorn("status")
        assert told.status == 3 and "no watcher of this circusd is managed" in told.text
        assert circusd.master("web") == adopted
    assert load.failures == []
    assert circusd.ctl("restart", "web", "--waiting").ok
    assert circusd.master("web") != adopted and "web stopped" in circusd.host_log()
