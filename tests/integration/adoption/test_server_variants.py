"""Servers that are started or named in another way are handed over all the same."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.programs import UNICORN, Program
from ..conftest import ON_CIRCUS, ON_SUPERVISOR, PAIRS, MakeHost
from ..scenes import (
    hand_over,
    re_execute_by_hand,
)


@pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities to give away")
@ON_SUPERVISOR
def test_as_in_a_container(make_host: MakeHost, folder: Path) -> None:
    """A root that cannot inspect other users' processes hands their programs over as well."""
    web = Program(folder)
    for path in (folder, web.folder, *web.folder.iterdir()):
        shutil.chown(path, "nobody")
    host = make_host(web)
    web.host_options[host.account] = "nobody"
    host.prefix = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
        web.write("v4", "raises")
        assert not host.restart("web").ok
        assert host.wait_for_rest("web") in masters
    assert len(masters) == 3 and load.failures == []


@ON_CIRCUS
def test_unicorn_with_worker_exec(make_host: MakeHost, folder: Path) -> None:
    """Workers that are exec'd are told from masters, and are ready only with their app loaded."""
    # unicorn 6.0 with `worker_exec` and a pid file fails by itself.
    web = Program(folder, settings="worker_exec true", pidfile=False)
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "raises")
        outcome = host.restart("web")
        assert not outcome.ok and "v2 is broken" in outcome.text
        assert host.wait_for_rest("web") == first
        masters = {first, hand_over(host, release="v3"), hand_over(host, release="v4")}
    assert len(masters) == 3 and load.failures == []


@pytest.mark.parametrize(
    ("host_class", "worker_exec"),
    [("supervisor", "false"), ("circus", "true")],
    indirect=["host_class"],
)
def test_unicorn_from_a_short_command_line(
    make_host: MakeHost, folder: Path, worker_exec: str
) -> None:
    """A title longer than the command line is written over the environment: that is no obstacle."""
    web = Program(
        folder,
        command="ruby bin/unicorn -c u",
        settings=f"worker_exec {worker_exec}",
        pidfile=False,
    )
    (web.folder / "bin").mkdir()
    script = web.folder / "bin" / "unicorn"
    script.write_text(f"#!/usr/bin/env ruby\nload {UNICORN!r}\n")
    script.chmod(0o755)
    (web.folder / "u").symlink_to(web.conf)
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


@PAIRS
def test_no_pid_file(make_host: MakeHost, folder: Path, server: str) -> None:
    """A server without a pid file is handed over all the same."""
    web = Program(folder, server=server, pidfile=False)
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


# What the package setproctitle does, and gunicorn has it do where it is installed.
SET_TITLE = """
name = "gunicorn:"

def _write_title(role):
    import ctypes
    with open("/proc/self/stat") as file:
        words = file.read().rpartition(")")[2].split()
    arguments, end, environment, last = map(int, words[45:49])
    ctypes.memset(arguments, 0, end - arguments)
    ctypes.memset(environment, 0, last - environment)
    title = f"{name} {role} [app]".encode()
    ctypes.memmove(arguments, title, len(title))

def when_ready(server):
    _write_title("master")

def post_fork(server, worker):
    _write_title("worker")
"""


@ON_SUPERVISOR
def test_gunicorn_that_sets_its_title(make_host: MakeHost, folder: Path) -> None:
    """With setproctitle, which writes over the environment, gunicorn is handed over too."""
    web = Program(folder, server="gunicorn", settings=SET_TITLE)
    host = make_host(web)
    host.start()
    assert _title(host.master("web")).startswith("gunicorn: master")
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


OWN_TITLES = {
    "gunicorn": SET_TITLE.replace("gunicorn:", "shop"),
    "unicorn": """\
before_fork { |server, worker| $0 = "shop master" + " " * 4000 }
after_fork { |server, worker| $0 = "shop worker" + " " * 4000 }
""",
}


@PAIRS
def test_a_server_under_another_name(make_host: MakeHost, folder: Path, server: str) -> None:
    """Its title tells nothing, and hides the environment: it is found by what it does."""
    web = Program(folder, server=server, settings=OWN_TITLES[server])
    host = make_host(web, options={"server": server})
    host.start()
    re_execute_by_hand(host)
    assert host.stop("web").ok
    host.wait_for_nobody("web")
    assert host.begin("web").ok
    first = host.wait_for_rest("web")
    with Load(web.address) as load:
        masters = {first, hand_over(host)}
        web.write("v3", "raises")
        assert not host.restart("web").ok
        masters.add(hand_over(host, release="v4"))
    assert len(masters) == 3 and load.failures == []


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@ON_CIRCUS
def test_gunicorn_with_threads(make_host: MakeHost, folder: Path) -> None:
    """Other kinds of gunicorn workers prove their readiness in the same way."""
    web = Program(folder, server="gunicorn", settings="worker_class = 'gthread'\nthreads = 4")
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "raises")
        assert not host.restart("web").ok and host.wait_for_rest("web") == first
        masters = {first, hand_over(host, release="v3"), hand_over(host, release="v4")}
    assert len(masters) == 3 and load.failures == []


@ON_SUPERVISOR
def test_gunicorn_as_a_module(make_host: MakeHost, folder: Path) -> None:
    """`python -m gunicorn` has another command line from its first re-exec on."""
    web = Program(folder, server="gunicorn")
    web.conf = web.folder / "settings.py"  # nothing that `-m gunicorn` would find
    (web.folder / "gunicorn.py").unlink()
    web.write("v1")
    web.command = f"{sys.executable} -m gunicorn -c {web.conf} app:application"
    host = make_host(web)
    host.start()
    masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3
