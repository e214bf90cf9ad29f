"""Handovers whose new master the runner starts itself."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from ...kit.foreground_host import ForegroundHost
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import UNICORN, Program
from ...waiting import wait_until
from ..supervisor.test_computed_pid_file import COMPUTED
from .conftest import both, end


@both
def test_handovers(host: ForegroundHost, web: Program) -> None:
    """Three in a row lose no request; the last master is supervised as the first was."""
    host.options["method"] = "spawn"
    host.start()
    masters = {host.master("web")}
    with Load(web.address) as load:
        for release in ("v2", "v3", "v4"):
            web.write(release)
            outcome = host.restart()
            assert outcome.ok, outcome.text
            assert web.answers(release)
            masters.add(host.wait_for_rest("web"))
    assert not load.failures
    assert len(masters) == 4
    assert web.pid_in_file() in masters
    kill(look(host.master("web")))
    assert host.exit_status() == -signal.SIGKILL


@both
def test_a_broken_release(host: ForegroundHost, web: Program) -> None:
    """It is backed out, and a stop ends all there is."""
    host.options["method"] = "spawn"
    host.start()
    old = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "raises")
        outcome = host.restart()
        assert not outcome.ok
        assert "release v2 is broken" in outcome.text
        assert host.wait_for_rest("web") == old
        web.write("v3", "gated")
        assert host.restart(wait=False).ok
        wait_until(lambda: web.began_to_load("v3"), "the release is read")
    assert not load.failures
    host.signal_runner(signal.SIGTERM)
    web.open_gate()
    assert host.exit_status() == 0
    host.wait_for_nobody("web")


def test_what_a_re_exec_needs_is_gone(host: ForegroundHost, web: Program) -> None:
    """The runner starts the command that it was given, wherever that leads by now."""
    link = host.folder / "current"
    for release in ("1", "2"):
        (host.folder / release).mkdir()
        (host.folder / release / "unicorn").symlink_to(UNICORN)
    link.symlink_to("1")
    web.command = web.command_line.replace(UNICORN, f"{link}/unicorn")
    host.start()
    web.write("v2")
    link.unlink()
    with Load(web.address) as load:
        refused = host.restart()
        link.symlink_to("2")
        shutil.rmtree(host.folder / "1")
        renewed = host.restart()
        host.wait_for_rest("web")
    assert not load.failures
    assert not refused.ok
    assert "No such file or directory" in refused.text
    assert renewed.ok
    assert web.answers("v2")


@pytest.mark.parametrize("server", COMPUTED)
def test_a_computed_pid_file_is_learned(folder: Path, server: str) -> None:
    """From unicorn's own log, for no output passes through the runner; gunicorn is asked."""
    settings = COMPUTED[server].format(folder=str(folder))
    log = {"unicorn": "stderr_path", "gunicorn": "errorlog ="}[server]
    settings += f"{log} {str(folder / 'own.log')!r}\n"
    web = Program(folder, server=server, pidfile=False, settings=settings)
    host = ForegroundHost(folder, [web], {"method": "spawn"})
    host.start()
    try:
        masters = [host.master("web")]
        with Load(web.address) as load:
            for release in ("v2", "v3"):
                web.write(release)
                outcome = host.restart()
                assert outcome.ok, outcome.text
                masters.append(host.wait_for_rest("web"))
        assert load.failures == [] and load.releases() == {"v1", "v2", "v3"}
        path = folder / "computed.pid"
        wait_until(lambda: path.read_text().strip() == str(masters[-1]), "the pid file names it")
        assert not path.with_name("computed.pid.oldbin").exists()
        refusals = host.host_log().count(f"found its pid file taken, {path};")
        assert refusals == {"unicorn": 1, "gunicorn": 0}[server]
    finally:
        end(host)
