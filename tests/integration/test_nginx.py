"""nginx: each new master is started by the host, on the sockets of the old one."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGQUIT

import pytest

from ..kit.circus_host import CircusHost
from ..kit.load import Load, Request
from ..kit.nginx import NGINX, Nginx
from ..kit.processes import kill, look
from ..kit.programs import Program
from ..kit.supervisor_host import SupervisorHost
from ..waiting import Later, wait_until
from .conftest import MakeHost


@pytest.fixture
def host(make_supervisor: MakeHost, folder: Path) -> SupervisorHost:
    """A supervisord with an nginx."""
    host = make_supervisor(Nginx(folder))
    assert isinstance(host, SupervisorHost)
    return host


@pytest.mark.parametrize(
    ("host_class", "unix"),
    [("supervisor", False), ("supervisor", True), ("circus", True)],
    indirect=["host_class"],
)
def test_three_generations(make_host: MakeHost, folder: Path, unix: bool) -> None:
    """Under load nothing fails, the pid file is right; HUP, a stop and a start work as ever."""
    host = make_host(Nginx(folder, unix=unix))
    host.start()
    web = host.programs["web"]
    masters = [host.master("web")]
    with Load(web.address) as load:
        for release in ("v2", "v3"):
            web.write(release)
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            masters.append(host.wait_for_rest("web"))
            wait_until(lambda: web.pid_in_file() == masters[-1], "the pid file names it")
            assert web.answers(release)
        web.write("v4")
        assert host.signal("web", "HUP").ok
        wait_until(lambda: web.answers("v4"), "the configuration was read anew")
        assert host.wait_for_rest("web") == masters[-1]
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3", "v4"}
    assert len(set(masters)) == 3
    assert [ended["method"] for ended in host.ended("web")] == ["spawn", "spawn"]
    assert "nginx does not re-execute itself" in host.host_log()
    assert {path.suffix for path in web.folder.iterdir()}.isdisjoint({".oldbin", ".kept"})
    assert host.stop("web").ok
    host.wait_for_nobody("web")
    assert not web.pid_path.exists()
    assert host.begin("web").ok
    wait_until(lambda: web.answers("v4"), "it is started again, on the same address")


def test_a_broken_configuration_is_refused(make_host: MakeHost, folder: Path) -> None:
    """In nginx's own words, before anything is started; a mended one is handed over."""
    host = make_host(Nginx(folder))
    host.start()
    web = host.programs["web"]
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "wrong")
        outcome = host.restart("web")
        assert outcome.status != 0
        assert f'-t -q says: unknown directive "no_such_directive" in {web.conf}:5' in outcome.text
        assert host.wait_for_rest("web") == first == web.pid_in_file()
        web.write("v3")
        assert host.restart("web").ok
        assert host.wait_for_rest("web") != first
    assert load.failures == [] and load.releases() == {"v1", "v3"}


def test_what_a_killed_master_leaves_makes_room(make_supervisor: MakeHost, folder: Path) -> None:
    """Its workers would serve on for ever, and hold the address, which has a name that it left."""
    host = make_supervisor(Nginx(folder, unix=True), options={"hold": "0"})
    host.programs["web"].restarted = True
    host.start()
    first = host.master("web")
    kill(look(first) or pytest.fail("it runs"))
    wait_until(lambda: host.master("web") not in (0, first), "it is started again")
    second = host.wait_for_rest("web")
    assert host.programs["web"].pid_in_file() == second
    assert "SIGKILL, left" not in host.host_log() and host.state("web") == "running"


def test_a_stack_is_restarted_whole(make_supervisor: MakeHost, folder: Path) -> None:
    """One `restart all` for an nginx and the unicorn behind it: no request is lost, no long one."""
    app = Program(folder, name="app", unix=True)
    host = make_supervisor(app, Nginx(folder, behind=app))
    host.start()
    web = host.programs["web"]
    first = host.master("app"), host.master("web")
    with Load(web.address) as load:
        held = Request(web.address, "/held?mark")
        wait_until((app.folder / "entered-mark").exists, "the request is under way")
        app.write("v2")
        with Later(lambda: host.restart("all")) as restarting:
            wait_until(lambda: web.answers("v2"), "the new release answers")
            app.open_gate()
            assert restarting.result().ok
        assert held.answer().outcome == "ok"
        assert host.wait_for_rest("app") != first[0] and host.wait_for_rest("web") != first[1]
    assert load.failures == [] and load.releases() == {"v1", "v2"}


@pytest.mark.parametrize("host_class", ["circus"], indirect=True)
def test_its_workers_are_counted_by_itself(folder: Path, make_host: MakeHost) -> None:
    """`incr` is refused, for TTIN would stop an nginx."""
    host = make_host(Nginx(folder))
    assert isinstance(host, CircusHost)
    host.start()
    first = host.master("web")
    assert "as many workers as its own configuration says" in host.ctl("incr", "web").text
    assert host.wait_for_rest("web") == first and host.programs["web"].answers("v1")


def test_one_that_leaves_its_host_is_told_of(make_supervisor: MakeHost, folder: Path) -> None:
    """Without `daemon off;` nobody supervises it."""
    web = Nginx(folder)
    web.command = f"{NGINX} -c {web.conf}"
    web.host_options["autorestart"] = "false"
    host = make_supervisor(web)
    host.launch()
    wait_until(lambda: "says `daemon off;`" in host.host_log(), "it is told")
    wait_until(web.answers, "it serves in the background")
    kill(look(web.pid_in_file()) or pytest.fail("it runs"), SIGQUIT)
    host.wait_for_nobody("web")


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_crash_of_nginx_refuses_nothing(
    make_supervisor: MakeHost, folder: Path, unix: bool
) -> None:
    """The next master takes the held socket, whose name is there, and the old workers are ended."""
    program = Nginx(folder, unix=unix)
    host = make_supervisor(program)
    host.start()
    wait_until(lambda: "is held" in host.host_log(), "the socket is held")
    with Load(program.address) as load:
        dead = host.master("web")
        kill(look(dead))
        wait_until(lambda: host.master("web") not in (0, dead), "another master is there")
        wait_until(lambda: host.at_rest("web"), "its workers alone are left")
    assert load.failures == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs of other users")
def test_a_changed_section_is_checked_as_it_is_now(host: SupervisorHost) -> None:
    """`-t` runs by the changed command, as the changed user: what it finds is true of that start.

    A file of root's alone is refused to nobody, and then read for root again.
    """
    web = host.programs["web"]
    host.start()
    first = host.master("web")
    host.folder.chmod(0o755)
    web.folder.chmod(0o777)
    web.conf.chmod(0o600)
    with Load(web.address) as load:
        web.host_options["user"] = "nobody"
        host.write_conf()
        refused = host.ctl("update")
        web.conf.chmod(0o644)
        web.pid_path.chmod(0o666)
        renewed = host.ctl("update")
        second = host.wait_for_rest("web")
        web.conf.chmod(0o600)
        del web.host_options["user"]
        web.command = web.command_line.replace(str(web.conf), str(web.conf.with_name("n.conf")))
        host.write_conf()
        missing = host.ctl("update")
        web.conf.rename(web.conf.with_name("n.conf"))
        back = host.ctl("update")
        third = host.wait_for_rest("web")
    assert load.failures == [] and len({first, second, third}) == 3
    assert f'open() "{web.conf}" failed (13: Permission denied)' in refused.text
    assert renewed.ok and back.ok, renewed.text + back.text
    assert f"{web.folder}/n.conf -g 'daemon off;' -t -q says: open()" in missing.text
    assert look(second) is None and "Uid:\t0\t" in Path(f"/proc/{third}/status").read_text()
