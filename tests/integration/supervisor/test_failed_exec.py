"""A re-exec that fails: refused before, told at once, or ended late."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import UNICORN, Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import hand_over, holding_exec, reach

REFUSALS = {
    "directory": r"directory: .*web is not there",
    "cwd": r"working directory of pid \d+, .*cwd.* is gone",
    "script": r"script of pid \d+, .*/unicorn, is gone|command: can't find command",
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_missing_is_found_before_the_first_signal(
    make_supervisor: MakeHost, folder: Path, what: str
) -> None:
    """A directory or script that a re-exec needs and that is gone refuses it; nothing is lost."""
    script, cwd = folder / "bin" / "unicorn", folder / "cwd"
    script.parent.mkdir()
    shutil.copy(UNICORN, script)
    cwd.mkdir()
    web = Program(folder)
    web.command = f"{script} -E none -c {web.conf} {web.folder}/config.ru"
    if what == "cwd":
        web.command = f"/bin/sh -c 'cd {cwd}; exec {web.command}'"
    host = make_supervisor(web, options={"method": "usr2"})
    host.start()
    gone = {"directory": web.folder, "cwd": cwd, "script": script}[what]
    moved = gone.with_name("moved")
    if what == "cwd":
        gone.rmdir()
    else:
        gone.rename(moved)
    with Load(web.address) as load:
        outcome = host.restart("web")
        assert not outcome.ok and re.search(REFUSALS[what], outcome.text), outcome.text
        assert host.phase("web") == "idle" and web.ask().release == "v1"
        if what != "cwd":
            moved.rename(gone)
            hand_over(host)
    assert load.failures == []


def test_a_script_that_cannot_be_seen_to_be_missing(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """A re-exec that fails for want of the script is told at once; the old master serves on."""
    script = folder / "unicorn"
    shutil.copy(UNICORN, script)
    web = Program(folder)
    web.command = f"/bin/sh -c 'exec ruby {script} -E none -c {web.conf} {web.folder}/config.ru'"
    host = make_supervisor(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        script.unlink()
        outcome = host.restart("web")
        assert not outcome.ok and "could not re-execute itself" in outcome.text, outcome.text
        assert host.wait_for_rest("web") == first
        wait_until(lambda: web.pid_in_file() == first, "the pid file names the old master")
        shutil.copy(UNICORN, script)
        hand_over(host)
    assert load.failures == []


@pytest.mark.parametrize("hold", ["0", "30"])
def test_a_late_exec_makes_no_second_family(
    make_supervisor: MakeHost, folder: Path, hold: str
) -> None:
    """A child that execs long after its master was killed is ended, however often web crashed."""
    web = holding_exec(Program(folder, restarted=True))
    host = make_supervisor(web, options={"hold": hold})
    host.start()
    old = look(host.master("web"))
    host.restart("web", wait=False)
    host.wait_for_phase("web", "re-executing")
    wait_until(lambda: len(host.family("web")) > web.workers + 1, "it has forked a child")
    kill(old)
    if hold == "0":
        # The child holds the listener, so what supervisord starts in the old one's place ends.
        wait_until(lambda: host.host_log().count("exited: web") >= 3, "it has crashed again")
    else:
        wait_until(lambda: host.master("web") not in (0, old.pid), "it is started again")
        wait_until(web.answers, "it serves on the held sockets")
    web.exec_gate.touch()
    host.wait_for_rest("web")
    assert web.answers("v1")


def test_logs_go_on_after_a_failure_that_is_seen_late(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """Output and the driver's word read in one turn of supervisord's loop close no log."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    supervisord = look(host.pid())
    reach(host, "booting")
    new = host.new_master("web")
    kill(supervisord, signal.SIGSTOP)
    kill(new)
    wait_until(lambda: not Path(f"/proc/{new.pid}").exists(), "the old master has reaped it")
    kill(supervisord, signal.SIGCONT)
    host.wait_for_rest("web")
    assert web.ask("/print/still-here").outcome == "ok"
    wait_until(lambda: "err-still-here" in host.log("web"), "it was logged")


def test_a_failed_exec_is_not_repeated(make_supervisor: MakeHost, folder: Path) -> None:
    """gunicorn's failed child takes the old workers along, so there must be only one of them."""
    web = Program(folder, server="gunicorn")
    web.settings += "\ndef pre_exec(server):\n    raise RuntimeError('not today')\n"
    web.settings += "graceful_timeout = 1\n"
    web.write("v1")
    host = make_supervisor(web)
    host.start()
    first = host.master("web")
    outcome = host.restart("web")
    assert not outcome.ok and "could not re-execute itself" in outcome.text
    assert host.wait_for_rest("web") == first and web.answers("v1")
    assert host.log("web").count("RuntimeError: not today") == 1
