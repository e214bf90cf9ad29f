"""Supervisor's ways to read its configuration anew: reload, reread and update."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.processes import living_in
from ...kit.programs import BEFORE_ORPHANS_END, Program
from ...waiting import Later, wait_until
from ..conftest import MakeHost
from ..scenes import hand_over, reach


@pytest.mark.parametrize(
    ("server", "phase"),
    [("unicorn", "adopted"), ("gunicorn", "booting"), ("unicorn", "draining")],
)
def test_reload(make_supervisor: MakeHost, folder: Path, server: str, phase: str) -> None:
    """reload ends all masters and starts anew, also in mid-handover; the next handover works."""
    web = Program(folder, server=server)
    host = make_supervisor(web)
    host.start()
    if phase == "adopted":
        hand_over(host)
    else:
        reach(host, phase)
    before = {found.pid for found in host.masters("web")}
    assert host.ctl("reload").ok
    web.open_gate()
    wait_until(lambda: host.master("web") not in before | {0}, "it is started anew")
    wait_until(host.driver_is_there, "the driver is there")
    host.wait_for_rest("web")
    assert not before & {found.pid for found in host.masters("web")}
    hand_over(host, release="v3")


@pytest.mark.parametrize("phase", ["adopted", "booting"])
def test_update_that_removes_or_changes(
    make_supervisor: MakeHost, folder: Path, phase: str
) -> None:
    """update ends what it removes or changes, nothing is left, and what it adds is managed."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    if phase == "adopted":
        hand_over(host)
    else:
        reach(host, phase)
    before = {found.pid for found in host.masters("web")}
    web.host_options["environment"] = 'CHANGED="1"'
    host.write_conf()
    with Later(lambda: host.ctl("update")) as update:
        web.open_gate()
    assert "web: updated process group" in update.result().text
    host.wait_for_rest("web")
    assert not before & {found.pid for found in host.masters("web")}
    hand_over(host, release="v3")
    host.programs = {}
    host.options["programs"] = "web"
    host.write_conf()
    assert "web: removed process group" in host.ctl("update").text
    wait_until(lambda: not living_in(web.folder), "nothing is left", BEFORE_ORPHANS_END)


def test_sections_that_only_an_update_has_brought(make_supervisor: MakeHost, folder: Path) -> None:
    """No restart of a listed program is a plain one, and what to do is told; a reload does it."""
    web = Program(folder)
    host = make_supervisor(web)
    host.write_conf()
    conf, included = host.conf.read_text(), folder / "unicorn.conf"
    start, end = conf.index("[rpcinterface:unicorn]"), conf.index("[ctlplugin:unicorn]")
    host.write_conf = lambda: None
    host.conf.write_text(f"{conf[:start]}{conf[end:]}\n[include]\nfiles = *.conf.d unicorn.conf\n")
    host.listener, listener = "", host.listener
    host.launch()
    wait_until(web.answers, "it serves")
    first = host.master("web")
    outcome = host.restart("web")  # no file of ours lists it yet
    assert outcome.text == "web: stopped\nweb: started\n" and host.master("web") != first
    wait_until(web.answers, "it serves")
    included.write_text(conf[start:end])
    assert "unicorn_handover: added process group" in host.ctl("update").text
    first = host.master("web")
    outcome = host.restart("web")
    why = f"web: ERROR ([rpcinterface:unicorn] in {included}:1 lists it, and supervisord has not"
    assert not outcome.ok and outcome.text.startswith(why) and host.master("web") == first
    host.listener = listener
    assert host.ctl("reload").ok
    wait_until(lambda: host.master("web") not in (0, first), "it is started anew")
    wait_until(host.driver_is_there, "the driver is there")
    host.wait_for_rest("web")
    hand_over(host)


def test_sections_that_supervisorctl_does_not_read(make_supervisor: MakeHost, folder: Path) -> None:
    """With all of them in an included file supervisord says so when it starts, and runs on."""
    host = make_supervisor(Program(folder))
    host.write_conf()
    conf = host.conf.read_text()
    start, end = conf.index("[rpcinterface:unicorn]"), conf.index("[program:web]")
    host.write_conf = lambda: None
    (folder / "unicorn.conf").write_text(conf[start:end])
    host.conf.write_text(f"{conf[:start]}[include]\nfiles = unicorn.conf\n{conf[end:]}")
    host.start()
    line = f"[ctlplugin:unicorn] is not in the main file {host.conf}, and supervisorctl reads no"
    for text in (host.host_log(), host.output()):
        assert line in text and f"; move it there from {folder}/unicorn.conf:" in text
    hand = (folder / "unicorn.conf").read_text().partition("[ctlplugin:unicorn]")
    host.conf.write_text(host.conf.read_text() + hand[1] + hand[2])
    hand_over(host)  # at once
