"""What would go wrong is seen before the first signal: refused at once, or done in another way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..kit.host import Host
from ..kit.load import Load
from ..kit.programs import UNICORN, Program, free_port
from ..waiting import wait_until
from .conftest import ON_CIRCUS, PAIRS, MakeHost
from .scenes import deploy, hand_over, held_request

AT_ONCE = 20  # seconds, far below boot_timeout


def refused(host: Host, web: Program) -> str:
    """Restart with a new release on the disk, which must be refused and cost nothing."""
    old = host.master("web")
    with Load(web.address) as load:
        outcome = host.restart("web")
    assert not outcome.ok and outcome.seconds < AT_ONCE
    assert load.failures == [] and host.wait_for_rest("web") == old and web.answers("v1")
    return outcome.text


def renewed(host: Host, web: Program, why: str) -> None:
    """Restart with a new release on the disk, which a re-exec cannot give.

    The host starts the new master itself, and says why. One that cannot refuses the restart.
    """
    web.write("v2")
    if not host.spawns:
        assert why in refused(host, web)
        return
    old = host.master("web")
    with Load(web.address) as load:
        outcome = host.restart("web")
    assert outcome.ok and load.failures == [] and host.wait_for_rest("web") != old
    assert web.answers("v2") and host.ended("web")[-1]["method"] == "spawn"
    assert f"web: starting (spawn: {why}" in host.host_log()


def environment(folder: Path) -> Path:
    """A virtual environment that has what the tests have; return its gunicorn."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "bin").mkdir()
    python = folder / "bin" / "python3"
    python.symlink_to(os.path.realpath(sys.executable))
    (folder / "pyvenv.cfg").write_text(
        f"home = {os.path.dirname(os.path.realpath(sys.executable))}\n"
    )
    script = folder / "bin" / "gunicorn"
    script.write_text(f"#!{python}\nfrom gunicorn.app.wsgiapp import run\nrun()\n")
    script.chmod(0o755)
    return script


def test_a_virtual_environment_for_each_release(make_host: MakeHost, folder: Path) -> None:
    """The interpreter of a re-exec is gone. Through a link it is the new one all the same."""
    link = folder / "venvs" / "current"
    for release in ("1", "2"):
        environment(link.with_name(release))
    link.symlink_to("1")
    web, linked = Program(folder, server="gunicorn", unix=True), Program(folder, "l", "gunicorn")
    web.command = f"{link}/bin/gunicorn -c {web.conf} app:application"
    linked.command = f"{link}/bin/python3 {link}/bin/gunicorn -c {linked.conf} app:application"
    host = make_host(web, linked)
    host.start()
    link.unlink()
    link.symlink_to("2")
    shutil.rmtree(link.with_name("1"))
    renewed(host, web, f"the interpreter of pid {host.master('web')}, {folder}/venvs/1/bin/python3")
    hand_over(host, "l")


def test_something_stands_in_front_of_the_server(make_host: MakeHost, folder: Path) -> None:
    """The host's program is a wrapper, and the server its child: both are named, and the way."""
    web = Program(folder, server="gunicorn")
    web.command = f"timeout 1d {web.command_line}"
    host = make_host(web)
    host.launch()
    wait_until(web.answers, "web answers")
    front = host.master("web")
    outcome = host.restart("web")
    assert not outcome.ok and outcome.seconds < AT_ONCE
    assert f"and pid {front} (timeout 1d " in outcome.text and "`exec`" in outcome.text
    assert host.master("web") == front and web.answers("v1")


def in_its_directory(web: Program) -> str:
    """A command that loads the application of the directory in which it is started."""
    return web.command_line.replace(f"{web.folder}/config.ru", "config.ru")


@PAIRS
def test_a_deploy_that_deploys_nothing(make_host: MakeHost, folder: Path, server: str) -> None:
    """The section's directory is a link that has moved, and the server would stay where it was.

    Once its own configuration names the link, the same deploy is handed over.
    """
    web, named = Program(folder, server=server), Program(folder, "named", server)
    host = make_host(web, named)
    for program in (web, named):
        link = deploy(program, "v1")
        program.command = in_its_directory(program)
        program.host_options = {host.directory: str(link)}
    setting = "working_directory '{}'" if server == "unicorn" else "chdir = '{}'"
    named.settings = setting.format(named.folder / "current")
    named.write("v1")
    host.start()
    for program in (web, named):
        deploy(program, "v2")
    section = f"[{host.section}:web] {host.directory}: {web.folder}/current"
    renewed(host, web, f"{section} is {web.folder}/releases/v2 by now, but pid ")
    assert host.restart("named").ok and named.answers("v2")


@ON_CIRCUS
def test_a_start_script_that_goes_to_a_link(make_host: MakeHost, folder: Path) -> None:
    """`cd current; exec unicorn -c unicorn.rb` re-executes in the new release, the old one gone."""
    web = Program(folder)
    host = make_host(web)
    link = deploy(web, "v1")
    script = web.folder / "start.sh"
    script.write_text(f"#!/bin/sh\ncd {link}\nexec {UNICORN} -E none -c unicorn.rb config.ru\n")
    script.chmod(0o755)
    web.command = str(script)
    host.start()
    for release in ("v2", "v3"):
        deploy(web, release, keep=False)
        assert host.restart("web").ok and web.answers(release)
        host.wait_for_rest("web")


@pytest.fixture
def stranger() -> Iterator[int]:
    """The pid of a living process that is no program of the host's."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


@PAIRS
def test_a_pid_file_that_names_a_stranger(
    make_host: MakeHost, folder: Path, server: str, stranger: int
) -> None:
    """The server would refuse to go on, so the restart is. After a good one it names the master."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    path = web.pid_path if server == "gunicorn" else Path(f"{web.pid_path}.oldbin")
    path.write_text(f"{stranger}\n")
    assert f"the pid file {path} names pid {stranger}, which runs" in refused(host, web)
    path.unlink()
    web.pid_path.write_text(f"{host.master('web')}\n")
    web.write("v2")
    assert host.restart("web").ok and web.pid_in_file() == host.master("web")
    host.wait_for_rest("web")


def test_a_refusal_of_unicorn_s_own(make_supervisor: MakeHost, folder: Path, stranger: int) -> None:
    """Where its pid file is known to Ruby alone, its log tells, within seconds."""
    web = Program(folder, pidfile=False)
    web.settings = f'pid ["{web.pid_path}"].first'
    web.write("v1")
    host = make_supervisor(web)
    host.start()
    Path(f"{web.pid_path}.oldbin").write_text(f"{stranger}\n")
    text = refused(host, web)
    assert "took USR2 and did not re-execute itself" in text
    assert f"old PID:{stranger} running with existing pid=" in text


def test_a_refusal_of_gunicorn_s_own(
    make_supervisor: MakeHost, folder: Path, stranger: int
) -> None:
    """Where its pid file is known to Python alone, that is asked before the first signal.

    Afterwards the restart waits for that file: it names the new master when the command returns.
    """
    web = Program(folder, server="gunicorn", pidfile=False)
    web.settings = f"pidfile = ''.join([{str(web.pid_path)!r}])"
    web.write("v1")
    host = make_supervisor(web)
    host.start()
    web.pid_path.write_text(f"{stranger}\n")
    assert f"the pid file {web.pid_path} names pid {stranger}, which runs" in refused(host, web)
    web.pid_path.write_text(f"{host.master('web')}\n")
    web.write("v2")
    assert host.restart("web").ok and web.pid_in_file() == host.master("web")
    assert host.ended("web")[-1]["method"] == "usr2" and web.answers("v2")
    host.wait_for_rest("web")


def test_sockets_of_the_workers_alone(make_supervisor: MakeHost, folder: Path) -> None:
    """gunicorn's reuse_port: no new master can have them, so the restart is refused.

    The master itself listens on its control socket then.
    """
    control = f"control_socket_disable = False\ncontrol_socket = {str(folder / 'control')!r}"
    web = Program(folder, server="gunicorn", settings=f"reuse_port = True\n{control}")
    host = make_supervisor(web)
    host.start()
    assert "are those of the workers, not of pid" in refused(host, web)


def test_an_old_master_that_cuts_its_requests(make_supervisor: MakeHost, folder: Path) -> None:
    """gunicorn ends at its own graceful_timeout; the caller and the log are told what that cost."""
    web = Program(folder, server="gunicorn", settings="graceful_timeout = 1")
    host = make_supervisor(web)
    host.start()
    request = held_request(web)
    web.write("v2")
    outcome = host.restart("web")
    assert outcome.ok and "its own graceful_timeout, 1 s" in outcome.text
    assert "its own graceful_timeout, 1 s" in host.host_log()
    web.open_gate()
    assert request.answer().outcome != "ok"
    host.wait_for_rest("web")


def test_a_master_that_the_host_starts_by_option(make_host: MakeHost, folder: Path) -> None:
    """`method = spawn` makes every restart one; what it cannot take over refuses it, with why."""
    web, shared = Program(folder), Program(folder, name="shared")
    shared.settings = f"listen '127.0.0.1:{free_port()}', reuseport: true"
    shared.write("v1")
    host = make_host(web, shared, options={"method": "spawn"})
    host.start()
    hand_over(host)
    assert host.ended("web")[-1]["method"] == "spawn"
    assert "starting (spawn: method = spawn)" in host.host_log()
    old = host.master("shared")
    outcome = host.restart("shared")
    assert not outcome.ok and f"of pid {old} has SO_REUSEPORT" in outcome.text
    assert host.wait_for_rest("shared") == old and shared.answers("v1")
