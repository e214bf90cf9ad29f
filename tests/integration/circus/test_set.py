"""`circusctl set` and `restart`, and `reloadconfig`: a master is started by what has changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...kit.circus_host import CircusHost
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import Later, wait_until


@pytest.fixture(params=["unicorn", "gunicorn-unix"])
def host(folder: Path, request: pytest.FixtureRequest) -> Iterator[CircusHost]:
    """A circusd with a program of each server, one on TCP and one on a unix socket."""
    server, _, kind = request.param.partition("-")
    web = Program(folder, server=server, unix=kind == "unix", preload=not kind)
    host = CircusHost(folder, [web], {})
    yield host
    web.open_gate()
    if host.pid():
        host.shutdown()


def colour(pid: int) -> str:
    """What a process was started with, as far as it is about this."""
    words = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    return next((word[7:] for word in words if word.startswith("COLOUR=")), "")


def paint(host: CircusHost, value: str) -> None:
    """Set a variable of the watcher's environment."""
    env = {**os.environ, **host.mark, "COLOUR": value}
    assert host.ask("set", name="web", options={"env": env})["status"] == "ok"


def test_what_was_set_is_in_force_after_a_restart(host: CircusHost) -> None:
    """Under load nothing fails; a restart after that is by USR2 again."""
    host.start()
    web = host.programs["web"]
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2")
        paint(host, "blue")
        assert host.master("web") == first and host.restart("web").ok
        second = host.wait_for_rest("web")
        web.write("v3")
        assert host.restart("web").ok
        third = host.wait_for_rest("web")
        paint(host, "red")
        assert host.restart("web").ok
        fourth = host.wait_for_rest("web")
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3"}
    assert colour(fourth) == "red" and os.getpgid(fourth) == fourth
    assert [ended["method"] for ended in host.ended("web")] == ["spawn", "usr2", "spawn"]
    assert "starting (spawn: [watcher:web] env changed)" in host.host_log()
    assert len({first, second, third, fourth}) == 4
    wait_until(lambda: web.pid_in_file() == fourth, "the pid file names it")
    line = "seen by circusd"
    assert web.ask(f"/print/{line.replace(' ', '-')}").outcome == "ok"
    wait_until(lambda: line.replace(" ", "-") in host.log("web"), "its output is in the same log")


def test_a_computed_pid_file_is_learned(folder: Path) -> None:
    """From the first new master's refusal, by circusd as well."""
    settings = f'pid File.join({str(folder)!r}, "computed.pid")\n'
    host = CircusHost(folder, [Program(folder, pidfile=False, settings=settings)], {})
    try:
        host.start()
        with Load(host.programs["web"].address) as load:
            paint(host, "blue")
            outcome = host.restart("web")
        assert outcome.ok and load.failures == [], outcome.text
        assert colour(host.wait_for_rest("web")) == "blue"
        path = folder / "computed.pid"
        assert path.read_text().strip() == str(host.master("web"))
        assert f"found its pid file taken, {path};" in host.host_log()
    finally:
        host.shutdown()


def test_what_cannot_boot_is_set_back(host: CircusHost) -> None:
    """The old master stays, and what a crash starts is what it was started by."""
    host.start()
    web = host.programs["web"]
    first = host.master("web")
    web.boot = 0.3  # that of one which ends at once may take the socket's name along for an instant
    with Load(web.address) as load:
        web.write("v2", "slow", "raises")
        paint(host, "blue")
        outcome = host.restart("web")
    assert not outcome.ok and "release v2 is broken" in outcome.text
    assert load.failures == [] and host.wait_for_rest("web") == first
    assert web.pid_in_file() == first and "set back to what runs: env" in host.host_log()
    web.write("v3")
    kill(look(first) or pytest.fail("it runs"))
    wait_until(lambda: host.master("web") not in (0, first), "it is started again")
    assert colour(host.wait_for_rest("web")) == ""


@pytest.mark.parametrize("host", ["gunicorn-unix"], indirect=True)
def test_a_stop_in_the_middle_ends_both(host: CircusHost) -> None:
    """Nobody is left, and the next start is a plain one."""
    host.start()
    web = host.programs["web"]
    web.write("v2", "gated")
    paint(host, "blue")
    with Later(lambda: host.restart("web")) as restarting:
        host.wait_for_phase("web", "booting")
        wait_until(lambda: web.began_to_load("v2"), "the new release is loading")
        with Later(lambda: host.stop("web")):
            wait_until(lambda: host.phase("web") == "idle", "the driver has let go")
            web.open_gate()
        assert not restarting.result().ok
    host.wait_for_nobody("web")


def change(host: CircusHost, **keys: str) -> None:
    """Change the watcher's section."""
    host.programs["web"].host_options.update(keys)
    host.write_conf()


def test_a_changed_section_is_handed_over(host: CircusHost) -> None:
    """By `reloadconfig`, without a failure; a second one finds nothing to do."""
    host.start()
    web = host.programs["web"]
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2")
        change(host, working_dir=str(host.folder), cmd=_elsewhere(web))
        assert host.ctl("reloadconfig", "--waiting").ok
        second = host.wait_for_rest("web")
        assert host.ctl("reloadconfig", "--waiting").ok
    assert load.failures == [] and load.releases() == {"v1", "v2"}
    assert second != first and host.wait_for_rest("web") == second
    here = os.readlink(f"/proc/{second}/cwd")
    assert here == str(host.folder) or "--chdir" in Path(f"/proc/{second}/cmdline").read_text()
    assert [ended["method"] for ended in host.ended("web")] == ["spawn"]


@pytest.mark.parametrize("host", ["unicorn"], indirect=True)
def test_a_section_that_cannot_boot_changes_nothing(host: CircusHost) -> None:
    """The caller is told why; the next `reloadconfig` tries again."""
    host.start()
    web = host.programs["web"]
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "raises")
        change(host, working_dir=str(host.folder), cmd=_elsewhere(web))
        outcomes = [host.ctl("reloadconfig", "--waiting") for _ in range(2)]
    assert load.failures == [] and host.wait_for_rest("web") == first
    assert all(not o.ok and "release v2 is broken" in o.text for o in outcomes)
    web.write("v3")
    assert host.ctl("reloadconfig", "--waiting").ok
    assert host.wait_for_rest("web") != first and web.answers("v3")


def _elsewhere(web: Program) -> str:
    """The command, for another directory than the program's own."""
    return web.command_line.replace(" app:", f" --chdir {web.folder} app:")
