"""`supervisorctl update`: a changed program is handed over, by a master that is started anew."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from ...kit.host import Outcome
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...kit.supervisor_host import SupervisorHost
from ...waiting import Later, wait_until
from ..conftest import MakeHost


@pytest.fixture(params=["unicorn", "gunicorn-unix"])
def host(make_supervisor: MakeHost, folder: Path, request: pytest.FixtureRequest) -> SupervisorHost:
    """A supervisord with a program of each server, one on TCP and one on a unix socket."""
    server, _, kind = request.param.partition("-")
    host = make_supervisor(Program(folder, server=server, unix=kind == "unix", preload=not kind))
    assert isinstance(host, SupervisorHost)
    return host


def change(host: SupervisorHost, **keys: str) -> None:
    """Change the program's section."""
    host.programs["web"].host_options.update(keys)
    host.write_conf()


def update(host: SupervisorHost) -> Outcome:
    """The operator's command."""
    return host.ctl("update")


def proc(pid: int, name: str) -> str:
    """A file of /proc/PID."""
    return Path(f"/proc/{pid}/{name}").read_text(errors="replace")


def environment(pid: int) -> dict[str, str]:
    """The environment that a process was started with, which workers keep readable."""
    words = proc(pid, "environ").split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def test_a_changed_section_is_handed_over(host: SupervisorHost) -> None:
    """Under load nothing fails; status shows one living master; the next ones are as any other."""
    host.start()
    web = host.programs["web"]
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2")
        change(host, environment='COLOUR="blue"')
        outcome = update(host)
        second = host.wait_for_rest("web")
        web.write("v3")
        assert host.restart("web").ok  # by USR2
        third = host.wait_for_rest("web")
        web.write("v4")
        change(host, environment='COLOUR="red"')
        assert update(host).ok
        fourth = host.wait_for_rest("web")
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3", "v4"}
    assert outcome.ok and "web: starting\n" in outcome.text
    assert f"web: started (pid {first} -> {second} in " in outcome.text
    assert outcome.text.rstrip().endswith("web: updated process group")
    assert len({first, second, third, fourth}) == 4 and os.getpgid(fourth) == fourth
    assert environment(fourth)["COLOUR"] == "red"
    assert [ended["method"] for ended in host.ended("web")] == ["spawn", "usr2", "spawn"]
    assert "starting (spawn: [program:web] was changed)" in host.host_log()
    wait_until(lambda: web.pid_in_file() == fourth, "the pid file names it")
    assert {path.suffix for path in web.folder.iterdir()}.isdisjoint({".oldbin", ".2", ".kept"})
    assert update(host).text == ""  # what is in force is what is configured


def test_what_cannot_boot_changes_nothing(host: SupervisorHost) -> None:
    """The old master and the old section stay, also over a crash; the next update tries again."""
    host.start()
    web = host.programs["web"]
    first = host.master("web")
    web.boot = 0.3  # that of one which ends at once may take the socket's name along for an instant
    with Load(web.address) as load:
        web.write("v2", "slow", "raises")
        change(host, environment='COLOUR="blue"')
        outcomes = [update(host), update(host)]
    for outcome in outcomes:
        assert outcome.status != 0 and "web: ERROR (the new " in outcome.text
        assert "release v2 is broken" in outcome.text and "updated" not in outcome.text
    assert load.failures == [] and host.wait_for_rest("web") == first
    assert web.pid_in_file() == first
    web.write("v3")
    kill(look(first) or pytest.fail("it runs"))
    wait_until(lambda: host.master("web") not in (0, first), "it is started again")
    second = host.wait_for_rest("web")
    assert "COLOUR" not in environment(second)
    assert update(host).ok
    assert environment(host.wait_for_rest("web"))["COLOUR"] == "blue"


@pytest.mark.parametrize("host", ["unicorn"], indirect=True)
def test_a_command_that_is_not_there_is_refused(host: SupervisorHost) -> None:
    """Before anything is started; so is a directory that is not there."""
    host.start()
    first = host.master("web")
    change(host, directory="/not/there")
    outcome = update(host)
    assert outcome.status != 0
    assert outcome.text == (
        "web: ERROR ([program:web] directory: /not/there is not there; make it again)\n"
    )
    assert host.wait_for_rest("web") == first and host.ended("web") == []


def test_all_else_is_supervisors(make_supervisor: MakeHost, folder: Path) -> None:
    """What is not managed is stopped and started, what is new is added, what is gone is removed."""
    web, api = Program(folder), Program(folder, name="api")
    host = make_supervisor(web, api, unmanaged=["api"])
    assert isinstance(host, SupervisorHost)
    host.more = "[program:gone]\ncommand = sleep 600\nstartsecs = 0\n"
    host.start()
    first = host.master("web"), host.master("api")
    api.host_options["environment"] = 'COLOUR="blue"'
    host.more = "[program:new]\ncommand = sleep 600\nstartsecs = 0\n"
    change(host, environment='COLOUR="blue"')
    with Load(web.address) as load:
        outcome = update(host)
    assert outcome.ok and load.failures == []
    for line in ("api: stopped", "api: updated process group", "new: added process group"):
        assert f"{line}\n" in outcome.text
    assert "gone: removed process group\n" in outcome.text and "web: stopped" not in outcome.text
    wait_until(lambda: host.state("new") == "running", "the new program runs")
    assert host.wait_for_rest("web") != first[0] and host.master("api") != first[1]


def test_a_group_that_is_supervisors_is_told_why(make_supervisor: MakeHost, folder: Path) -> None:
    """In one line, where a managed program of it ran; an update of others says nothing of it."""
    web, api = Program(folder), Program(folder, name="api")
    host = make_supervisor(web, api, unmanaged=["api"])
    assert isinstance(host, SupervisorHost)
    host.more = "[group:site]\nprograms = web,api\n"
    host.launch()
    wait_until(lambda: web.answers() and api.answers(), "both answer")
    api.host_options["environment"] = 'COLOUR="blue"'
    change(host, environment='COLOUR="blue"')
    outcome = update(host)
    told = "site: stopped and added again, not handed over"
    assert outcome.ok and f"{told} (api was changed too and is not managed)\n" in outcome.text
    wait_until(web.answers, "web answers again")
    host.more = "[group:site]\nprograms = web\n[group:other]\nprograms = api\n"
    host.write_conf()
    assert f"{told} (programs added or removed: api)\n" in update(host).text


def begin_update(host: SupervisorHost, *kinds: str) -> Later[Outcome]:
    """Begin an update whose new master loads until its gate is opened."""
    host.start()
    host.programs["web"].write("v2", "gated", *kinds)
    change(host, environment='COLOUR="blue"')
    later = Later(lambda: update(host))
    host.wait_for_phase("web", "booting")
    wait_until(lambda: host.programs["web"].began_to_load("v2"), "the new release is loading")
    return later


@pytest.mark.parametrize(
    ("host", "end"), [("unicorn", "stop"), ("gunicorn-unix", "shutdown")], indirect=["host"]
)
def test_a_stop_ends_both_masters(host: SupervisorHost, end: str) -> None:
    """In the middle of a start; nobody is left (which the fixture proves for a shutdown)."""
    with begin_update(host) as updating:
        with Later(lambda: host.stop("web") if end == "stop" else host.shutdown()):
            # A master that loads looks at signals only when it has loaded.
            wait_until(lambda: "the program was stopped" in host.host_log(), "it is stopping")
            host.programs["web"].open_gate()
        assert updating.result().status != 0
    if end == "stop":
        host.wait_for_nobody("web")
        assert host.state("web") == "stopped"
        host.programs["web"].write("v3")
        assert host.begin("web").ok
        assert "COLOUR" not in environment(host.wait_for_rest("web"))


@pytest.mark.parametrize("host", ["unicorn"], indirect=True)
def test_an_old_master_that_is_killed_leaves_the_new_one(host: SupervisorHost) -> None:
    """It is the program's from then on, by the changed section, and nobody is beside it."""
    with begin_update(host) as updating:
        new = host.new_master("web")
        kill(look(host.master("web")) or pytest.fail("it runs"))
        wait_until(lambda: host.master("web") == new.pid, "the new master is adopted")
        host.programs["web"].open_gate()
        updating.result()
    assert host.wait_for_rest("web") == new.pid
    assert environment(new.pid)["COLOUR"] == "blue"


@pytest.mark.parametrize("host", ["gunicorn-unix"], indirect=True)
def test_another_driver_goes_on(host: SupervisorHost) -> None:
    """A driver that is killed costs nothing, and no second master is started."""
    with Load(host.programs["web"].address) as load:
        with begin_update(host) as updating:
            load.answers.clear()  # it was not started yet
            new = host.new_master("web")
            kill(look(host.driver()) or pytest.fail("it runs"))
            wait_until(host.driver_is_there, "another driver is there")
            host.programs["web"].open_gate()
            assert updating.result().ok
        assert host.wait_for_rest("web") == new.pid
    assert load.failures == []


@pytest.mark.parametrize("host", ["gunicorn-unix"], indirect=True)
def test_a_roll_back_ends_the_new_one(host: SupervisorHost) -> None:
    """The old master and its pid file stay; the caller is told."""
    with begin_update(host) as updating:
        first = host.master("web")
        assert host.rollback("web").ok
        outcome = updating.result()
    assert outcome.status != 0 and "web: ERROR (rolled back by command)" in outcome.text
    assert host.wait_for_rest("web") == first
    assert host.programs["web"].pid_in_file() == first and host.programs["web"].answers("v1")


@pytest.mark.parametrize("host", ["unicorn"], indirect=True)
def test_a_restart_meanwhile_follows_by_the_changed_section(host: SupervisorHost) -> None:
    """One behind the other; a restart that runs is not taken for the update."""
    host.start()
    web = host.programs["web"]
    web.write("v2", "gated")
    with Later(lambda: host.restart("web")) as restarting:
        host.wait_for_phase("web", "booting")
        change(host, environment='COLOUR="blue"')
        with Later(lambda: update(host)) as updating:
            wait_until(lambda: host.following("web") == 2, "the update follows")
            web.open_gate()
            assert restarting.result().ok and updating.result().ok
    assert [ended["method"] for ended in host.ended("web")] == ["usr2", "spawn"]
    assert environment(host.wait_for_rest("web"))["COLOUR"] == "blue"


@pytest.mark.parametrize("host", ["gunicorn-unix"], indirect=True)
def test_nothing_grows(host: SupervisorHost) -> None:
    """Ten handovers in turn by each way leave supervisord with the descriptors that it had."""
    host.start()
    web = host.programs["web"]
    change(host, environment='COLOUR="0"')
    assert update(host).ok
    host.wait_for_rest("web")
    before = settled(host.pid())
    with Load(web.address, clients=2) as load:
        for turn in range(1, 6):
            change(host, environment=f'COLOUR="{turn}"')
            assert update(host).ok and host.restart("web").ok
        host.wait_for_rest("web")
    assert load.failures == [] and settled(host.pid()) == before
    assert "SIGKILL" not in host.host_log()


def settled(pid: int) -> list[str]:
    """What a process has open when no connection of a command is left."""
    seen: list[list[str]] = []
    wait_until(lambda: seen.append(descriptors(pid)) or seen[-30:] == seen[-1:] * 30, "it is quiet")
    return seen[-1]


def descriptors(pid: int) -> list[str]:
    """What a process has open, without its numbers."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}").partition(":")[0])
    return sorted(found)
