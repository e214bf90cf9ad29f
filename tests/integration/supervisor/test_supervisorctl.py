"""What supervisorctl tells and does in the cases that are not the rule."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.options import ClientOptions
from supervisor.supervisorctl import Controller

from ...kit.processes import kill, living_in, look
from ...kit.programs import BIN, Program
from ...kit.supervisor_host import DRIVER, SupervisorHost
from ...waiting import LIMIT, Later, wait_until
from ..conftest import MakeHost
from ..scenes import held_request


@pytest.fixture
def host(make_supervisor: MakeHost, folder: Path) -> SupervisorHost:
    """A supervisord with a managed program."""
    host = make_supervisor(Program(folder))
    assert isinstance(host, SupervisorHost)
    return host


class Ctl(Controller):  # type: ignore[misc]
    """supervisorctl in this process, with something that happens after its first look."""

    def __init__(self, host: SupervisorHost, happens: Callable[[], object]) -> None:
        options = ClientOptions()
        options.realize(["-c", str(host.conf)])
        Controller.__init__(self, options, stdout=io.StringIO())
        plugin = options.plugins[1]
        look_at = plugin._managed

        def managed(*words: object) -> dict[str, str]:
            found: dict[str, str] = look_at(*words)
            happens()
            return found

        plugin._managed = managed

    def say(self, words: str) -> str:
        """What it prints at a command."""
        self.onecmd(words)
        return str(self.stdout.getvalue())


def test_a_program_that_ends_just_then_gets_supervisor_s_own_restart(host: SupervisorHost) -> None:
    """Found running, and not running when the handover is asked for: stopped and started."""
    host.start()
    ctl = Ctl(host, lambda: host.stop("web"))
    assert ctl.say("restart --wait web") == "web: ERROR (not running)\nweb: started\n"
    assert ctl.exitstatus == 0
    host.wait_for_rest("web")


def test_restart_while_supervisord_shuts_down(host: SupervisorHost) -> None:
    """A supervisord that is ending by now begins no handover, and the caller is told why."""
    host.start()
    held_request(host.programs["web"])
    ctl = Ctl(host, lambda: host.rpc.supervisor.shutdown())
    assert ctl.say("restart web") == "web: ERROR (supervisord is shutting down or reloading)\n"
    assert ctl.exitstatus != 0
    host.programs["web"].open_gate()
    host.wait_for_end()


@pytest.mark.parametrize("end", ["shutdown", "reload", "SIGKILL"])
def test_a_watched_supervisord_that_ends(host: SupervisorHost, folder: Path, end: str) -> None:
    """restart --wait fails with one line in plain words, whatever way supervisord ends."""
    host.start()
    web, first = host.programs["web"], host.master("web")
    request = held_request(web)  # so that supervisord takes its time
    web.write("v2", "gated")
    with Later(lambda: host.restart("web")) as watching:
        wait_until(lambda: web.began_to_load("v2"), "it boots")
        if end == "SIGKILL":
            kill(look(host.pid()))
        else:
            assert host.ctl(end).ok
        outcome = watching.result()
    assert outcome.status != 0
    assert re.fullmatch(r"(web: [a-z-]+\n)*web: ERROR \(.*\)\n", outcome.text), outcome.text
    web.open_gate()
    request.answer()
    if end == "reload":  # between its two lives nobody can tell supervisord to end
        wait_until(lambda: host.master("web") not in (0, first), "it is started anew")
    for found in living_in(folder) if end == "SIGKILL" else []:
        kill(found)


# Ends when told to only if the other one has been told too.
SLOW = """
[program:{name}]
command = {python} -u {folder}/slow.py {name} {other}
priority = {priority}
startsecs = 0
stopwaitsecs = 10
"""
SLOW_PY = """\
import os, signal, sys, time
def end(*_):
    open(sys.argv[1], "w").close()
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.02)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
open(f"{sys.argv[1]}-is-up", "w").close()
while True:
    signal.pause()
"""
OFF = "\n[program:off]\ncommand = sleep 3600\nstartsecs = 0\nautostart = false\n"


@pytest.fixture
def mixed(make_supervisor: MakeHost, folder: Path) -> SupervisorHost:
    """A managed program, two slow ones in an order that is not that of their names, and one off."""
    host = make_supervisor(Program(folder))
    assert isinstance(host, SupervisorHost)
    (folder / "slow.py").write_text(SLOW_PY)
    for name, other, priority in (("a", "z", 20), ("z", "a", 10)):
        host.more += SLOW.format(
            name=name, other=other, priority=priority, python=sys.executable, folder=folder
        )
    host.more += OFF
    return host


@pytest.mark.parametrize("words", ["all", "site:*"])
def test_the_others_are_restarted_as_supervisor_does_it(
    mixed: SupervisorHost, folder: Path, words: str
) -> None:
    """Of `all` or a group those that are not managed stop at once, and start by their priority."""
    prefix = ""
    if words != "all":
        mixed.more += "\n[group:site]\nprograms = a,web,off,z\n"
        prefix = "site:"
    mixed.launch()
    wait_until(mixed.programs["web"].answers, "web answers")
    for name in "az":
        wait_until((folder / f"{name}-is-up").exists, f"{name} is up")
    began = len(mixed.host_log())
    outcome = mixed.restart(words)
    log = mixed.host_log()[began:]
    assert outcome.ok and "ERROR" not in outcome.text, outcome.text
    stopped = re.findall(r"^(\S+): stopped$", outcome.text, re.M)
    started = re.findall(r"^(\S+): started$", outcome.text, re.M)
    driver = [DRIVER] if words == "all" else []
    assert stopped == [*driver, f"{prefix}z", f"{prefix}a"], outcome.text
    assert started == [*driver, f"{prefix}z", f"{prefix}a", f"{prefix}off"], outcome.text
    assert re.search(rf"^{prefix}web: started \(pid ", outcome.text, re.M)
    assert "SIGKILL" not in log and log.index("spawned: 'z'") < log.index("spawned: 'a'")
    folder.joinpath("a").touch()
    # To the commands of `unicorn` they mean those that are managed.
    told, _, status = run(mixed, "unicorn", "promote", words)
    assert told.startswith(f"{prefix}web: ERROR (no handover of {prefix}web is running")
    assert told.count("\n") == 1 and status != 0
    assert run(mixed, "unicorn", "status", words)[0].split()[0] == f"{prefix}web"


def test_one_interrupt_ends_all_watching(make_supervisor: MakeHost, folder: Path) -> None:
    """After one Ctrl-C restart --wait ends, with a line for each handover; these go on."""
    web, api = Program(folder), Program(folder, "api")
    host = make_supervisor(web, api)
    assert isinstance(host, SupervisorHost)
    host.start()
    first = {name: host.master(name) for name in ("web", "api")}
    for program in (web, api):
        program.write("v2", "gated")
    ctl = [f"{BIN}/supervisorctl", "-c", str(host.conf), "restart", "--wait", "web", "api"]
    with subprocess.Popen(ctl, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        for line in watching.stdout:
            if line.endswith(": booting\n"):
                break
        watching.send_signal(signal.SIGINT)
        try:
            text = watching.communicate(timeout=LIMIT)[0]
        finally:
            watching.kill()
    lines = [line for line in text.splitlines() if "not watched any more" in line]
    assert len(lines) == 2 and "ERROR" not in text and watching.returncode == 1, text
    for program in (web, api):
        program.open_gate()
        assert host.wait_for_rest(program.name) != first[program.name]
        assert program.answers("v2")


def test_a_tool_that_cannot_say_wait(host: SupervisorHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """`restart web`, judged by its exit status and by `web: started`, is true of both releases."""
    host.start()
    web, first = host.programs["web"], host.master("web")
    web.write("v2", "raises")
    with monkeypatch.context() as environment:
        environment.setenv("SUPERVISOR_UNICORN_WAIT", "1")
        outcome = host.restart("web", wait=False)
    assert not outcome.ok and "web: started" not in outcome.text and host.master("web") == first
    conf = host.conf.read_text()
    host.conf.write_text(conf.replace(":make_ctlplugin", ":make_ctlplugin\nwait = true"))
    web.write("v3")
    outcome = host.restart("web", wait=False)
    assert outcome.ok and "web: started (pid " in outcome.text and web.answers("v3")


def run(host: SupervisorHost, *words: str) -> tuple[str, str, int]:
    """What supervisorctl prints, what it prints as errors, and its exit status."""
    done = subprocess.run(
        [f"{BIN}/supervisorctl", "-c", str(host.conf), *words],
        capture_output=True,
        text=True,
    )
    return done.stdout, done.stderr, done.returncode


def test_unicorn_status_when_there_is_little_to_show(host: SupervisorHost) -> None:
    """--json prints JSON and nothing else; no managed program, and no plugin, are told."""
    host.launch()
    shown, errors, status = run(host, "unicorn", "status", "--json", "web", "nobody")
    assert [found["name"] for found in json.loads(shown)] == ["web"] and status != 0
    assert errors == "nobody: ERROR (not managed by [rpcinterface:unicorn])\n"
    host.shutdown()
    host.unmanaged = ["web"]
    host.launch()
    shown, errors, status = run(host, "unicorn", "status")
    assert shown == "no program is managed by [rpcinterface:unicorn]\n"
    assert (errors, status) == ("", 0)
    assert json.loads(run(host, "unicorn", "status", "--json")[0]) == []


def test_unicorn_commands_when_only_supervisorctl_has_the_plugin(host: SupervisorHost) -> None:
    """A supervisord without [rpcinterface:unicorn] is told of, in one line."""
    host.write_conf()
    conf = host.conf.read_text()
    start, end = conf.index("[rpcinterface:unicorn]"), conf.index("[ctlplugin:unicorn]")
    # A key of any name in the section is no reason for supervisorctl to fail.
    host.conf.write_text(conf[:start] + conf[end:].replace("\n", "\ncontroller = x\n", 1))
    host.write_conf = lambda: None  # type: ignore[method-assign]
    host.listener = ""
    host.launch()
    why = "Error: this supervisord has no [rpcinterface:unicorn]\n"
    assert run(host, "unicorn", "status") == run(host, "unicorn", "rollback", "web") == (why, "", 3)
    assert run(host, "unicorn", "status", "--json", "web") == ("", why, 3)
