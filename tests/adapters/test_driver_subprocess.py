"""The driver's process and its channel, inside Supervisor's loop."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.states import ProcessStates

from supervisor_unicorn.driver import DriverSubprocess
from unicorn_handover import __version__

from .conftest import Site

MakeSite = Callable[..., Site]

# Says what it is told to, then echoes the numbers of the handovers that it is ordered to drive.
SCRIPT = """\
import json, socket, sys
channel = socket.socket(fileno=3)
for line in sys.argv[1:]:
    channel.send(line.encode())
print("READY", flush=True)
while True:
    packet = channel.recv(1 << 20)
    if not packet:
        break
    orders = json.loads(packet)["orders"]
    print("ORDERED", [o["record"]["number"] for o in orders], file=sys.stderr, flush=True)
"""


def site_with(make_site: MakeSite, folder: Path, *said: str) -> Site:
    """A site whose driver says some messages."""
    script = folder / "driver.py"
    script.write_text(SCRIPT)
    words = " ".join("'" + word.replace("%", "%%") + "'" for word in said)
    return make_site(
        driver=f"{sys.executable} {script} {words}\nstderr_logfile = {folder}/driver.err"
    )


def driver(site: Site) -> DriverSubprocess:
    """The driver's process."""
    return site.supervisord.process_groups["unicorn_handover"].processes["unicorn_handover"]


def test_it_comes_and_gets_its_orders(make_site: MakeSite, tmp_path: Path) -> None:
    """Its first word makes it known, and it is given all that is to be driven."""
    site = site_with(make_site, tmp_path, json.dumps({"driver": "0"}))
    host = site.manage()
    site.turn_until(lambda: host.presence.is_there, "the driver is there")
    site.turn_until(lambda: site.web.pid, "web runs")
    host.request(host.programs["web"])
    errors = tmp_path / "driver.err"
    site.turn_until(lambda: "ORDERED [1]" in errors.read_text(), "it has its order")


@pytest.mark.parametrize(
    "said",
    ["hello", "[]", "{}", '{"record": 1}', '{"record": {"phase": "nosuch"}}', '{"record": {}}'],
)
def test_nonsense_is_logged_and_nothing_else(
    make_site: MakeSite, tmp_path: Path, said: str
) -> None:
    """Whatever the driver says, supervisord goes on and hears the next message."""
    site = site_with(make_site, tmp_path, said, json.dumps({"driver": "0"}))
    host = site.manage()
    site.turn_until(lambda: host.presence.is_there, "the driver is there")
    if said not in ("{}", "[]"):
        assert "cannot use what the driver said" in site.log


def test_a_driver_that_dies_is_started_again_with_a_new_channel(
    make_site: MakeSite, tmp_path: Path
) -> None:
    """Its absence is noted, no descriptor is lost, and the next one gets the same orders."""
    site = site_with(make_site, tmp_path, json.dumps({"driver": "0"}))
    host = site.manage()
    site.turn_until(lambda: host.presence.is_there and site.web.pid, "all is there")
    host.request(host.programs["web"])
    errors = tmp_path / "driver.err"
    before = None
    for times in (1, 2, 3):
        site.turn_until(
            lambda n=times: errors.read_text().count("ORDERED [1]") == n, "it has its order"
        )
        gc.collect()  # files of earlier tests
        now = len(os.listdir("/proc/self/fd"))
        assert before is None or now <= before
        before, pid = now, driver(site).pid
        os.kill(pid, signal.SIGKILL)
        site.turn_until(lambda p=pid: driver(site).pid != p, "its death is noticed")
        site.turn_until(lambda: host.presence.is_there, "the next one is there")


def test_a_second_driver_is_told_of(make_site: MakeSite, tmp_path: Path) -> None:
    """Of two sections, an old one and a new one, one drives, and which to take out is said."""
    script = tmp_path / "driver.py"
    script.write_text(SCRIPT)
    command = f"{sys.executable} {script} '{json.dumps({'driver': __version__})}'"
    section = f"\n[eventlistener:unicorn]\ncommand = {command}\nevents = UNICORN_DRIVER\n"
    site = make_site(web=section, driver=command)
    host = site.manage()
    site.turn_until(lambda: "a second driver" in site.log, "it is told")
    assert host.presence.is_there and "is of version" not in site.log
    line = r"\[eventlistener:(\w+)\] a second driver, \1, is not needed; take the section out"
    assert re.search(line, site.log), site.log


def test_a_stopped_driver_will_not_come(make_site: MakeSite, tmp_path: Path) -> None:
    """A driver that an operator has stopped is not waited for."""
    site = site_with(make_site, tmp_path, json.dumps({"driver": "0"}))
    host = site.manage()
    site.turn_until(lambda: host.presence.is_there, "the driver is there")
    assert host.drivers.will_come
    driver(site).stop()
    site.turn_until(lambda: driver(site).state == ProcessStates.STOPPED, "it is stopped")
    assert not host.drivers.will_come and not host.presence.is_there
    assert "supervisorctl start unicorn_handover" in host.why_no_driver()


def test_who_waits_for_a_fatal_driver_is_told_at_once(make_site: MakeSite, tmp_path: Path) -> None:
    """Also in the middle of a handover; a driver that an operator starts is waited for again."""
    site = site_with(make_site, tmp_path, json.dumps({"driver": "0"}))
    host = site.manage()
    site.turn_until(lambda: host.presence.is_there and site.web.pid, "the driver and web are there")
    host.request(host.programs["web"])
    driver(site).config.command = "/nonexistent"
    driver(site).config.startretries = 0
    os.kill(driver(site).pid, signal.SIGKILL)
    site.turn_until(lambda: driver(site).state == ProcessStates.FATAL, "it is FATAL")
    assert "is not running" in host.driverless(host.programs["web"])
    driver(site).config.command = f"{sys.executable} -c 'input()'"
    driver(site).spawn()
    assert not host.driverless(host.programs["web"])


def test_without_the_plugin_s_factory_the_channel_is_missing(
    make_site: MakeSite, tmp_path: Path
) -> None:
    """The listener of a supervisord that has not loaded the plugin has no socket as fd 3."""
    site = make_site(
        driver=f"{Path(sys.executable).parent}/supervisor_unicorn\n"
        f"stderr_logfile = {tmp_path}/driver.err\nstartretries = 0"
    )
    errors = tmp_path / "driver.err"
    site.turn_until(
        lambda: errors.exists() and "--echo-conf" in errors.read_text(), "it says what is missing"
    )
