"""supervisorctl's own Controller with the plugin, on a supervisord that answers as a test says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import pytest
from supervisor.options import ClientOptions
from supervisor.states import ProcessStates
from supervisor.supervisorctl import Controller, DefaultControllerPlugin
from supervisor.xmlrpc import Faults

from supervisor_unicorn import make_ctlplugin
from supervisor_unicorn.waiting import VARIABLE, waits
from unicorn_handover.errors import Refused

CONF = """\
[supervisorctl]
serverurl = unix:///nosuch/socket
[rpcinterface:unicorn]
supervisor.rpcinterface_factory = supervisor_unicorn:make_rpcinterface
programs = web
"""
ENDED = {"number": 7, "succeeded": True, "old_pid": 1, "new_pid": 2, "seconds": 1.5, "passed": []}


class Server:
    """A supervisord. `managed` are the programs that it hands over, `calls` what it was asked."""

    def __init__(self, managed: list[str], loaded: bool = True) -> None:
        self.managed, self.loaded = managed, loaded
        self.calls: list[str] = []
        self.outcomes: list[dict[str, Any]] = []
        self.lacks: tuple[str, ...] = ()

    def __getattr__(self, method: str) -> Any:
        def call(*words: Any) -> Any:
            self.calls.append(" ".join(map(str, (method, *words))))
            if method in self.lacks or (not self.loaded and method in ("status", "request")):
                raise Fault(Faults.UNKNOWN_METHOD, "UNKNOWN_METHOD")
            return getattr(self, f"on_{method}")(*words)

        return call

    def on_getVersion(self) -> str:
        return "3.0"

    def on_listMethods(self) -> list[str]:
        return ["unicorn.status"] if self.loaded else []

    def on_getAllProcessInfo(self) -> list[dict[str, Any]]:
        return [
            {"group": name, "name": name, "state": ProcessStates.RUNNING}
            for name in ("other", "web", "worker")
        ]

    def on_status(self, name: str, seen: int = -1) -> dict[str, Any]:
        if name not in self.managed:
            raise Fault(Faults.BAD_NAME, f"BAD_NAME: {name}")
        ended = [{**ENDED, "number": 99}]  # of another caller
        return {"name": name, "pid": 1, "running": {}, "following": 0, "ended": ended, "changes": 1}

    def on_request(self, name: str) -> int:
        return 7

    def on_outcome(self, name: str, number: int, seen: int) -> dict[str, Any]:
        return self.outcomes.pop(0)

    def on_multicall(self, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = [call["params"][0] for call in calls]
        return [{"name": n} if n in self.managed else {"faultCode": 10} for n in names]

    def on_stopProcess(self, name: str) -> bool:
        return True

    def on_startProcess(self, name: str) -> bool:
        return True

    @property
    def plain(self) -> list[str]:
        """What was stopped."""
        return [call.split()[1] for call in self.calls if call.startswith("stopProcess")]


def control(server: Server | None, conf: Path | None = None, **config: str) -> Controller:
    """supervisorctl, with the plugin after its own, as ClientOptions loads them."""
    options = ClientOptions()
    options.serverurl = "unix:///nosuch/socket"
    options.prompt, options.interactive = "supervisor", False
    options.configfile = str(conf) if conf else None
    options.configroot.supervisorctl.serverurl = options.serverurl
    options.plugin_factories = [
        ("default", DefaultControllerPlugin, {}),
        ("unicorn", make_ctlplugin, config),
    ]
    controller = Controller(options, stdout=io.StringIO())
    if server:
        controller.get_server_proxy = lambda namespace=None: server
    return controller


def say(controller: Controller, command: str) -> str:
    """What supervisorctl prints at a command."""
    controller.stdout.seek(0)
    controller.stdout.truncate()
    controller.onecmd(command)
    return str(controller.stdout.getvalue())


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A configuration that lists web."""
    path = tmp_path / "supervisord.conf"
    path.write_text(CONF)
    return path


def test_restart_is_found_before_supervisor_s_own() -> None:
    """The controller itself has it, so the order of the plugins does not matter."""
    controller = control(None)
    assert controller.do_restart.__self__ is controller.options.plugins[1]


def test_help() -> None:
    """help names the commands, and tells what is different."""
    controller = control(None)
    assert "restart all" in say(controller, "help restart")
    assert "restart [--wait] <name>" in say(controller, "help restart")
    for words in ("help unicorn", "unicorn help"):
        assert "rollback NAME" in say(controller, words)
    assert "unicorn" in say(controller, "help") and controller.exitstatus == 0


@pytest.mark.parametrize(
    "words",
    [
        *("", "nosuch", "rollback", "promote", "rollback --json", "rollback --json web"),
        *("status --jsn", "status -j web", "rollback -w web", "promote --wait web"),
    ],
)
def test_wrong_words_of_unicorn(words: str) -> None:
    """An unknown word, or a missing name, is an error with the usage, and nothing is asked."""
    server = Server(["web"])
    controller = control(server)
    text = say(controller, f"unicorn {words}")
    assert text.startswith("Error: unicorn") and "rollback NAME" in text
    assert controller.exitstatus == 2 and server.calls == []


@pytest.mark.parametrize("word", ["--waiting", "-w", "--wait=yes", "--wait=", "-", "--"])
def test_wrong_words_of_restart(word: str) -> None:
    """They refuse the command before anything is stopped, managed or not."""
    server = Server(["web"])
    controller = control(server)
    for command in (f"restart {word} web other", f"restart web other {word}"):
        controller.exitstatus = 0
        text = say(controller, command)
        assert text == f"Error: restart has no option {word}; it is --wait\n"
        assert controller.exitstatus == 2 and server.calls == []


def test_no_supervisord() -> None:
    """Without a supervisord each command says so in Supervisor's words."""
    controller = control(None)
    for command in ("restart web", "restart --wait all", "unicorn status", "unicorn rollback web"):
        controller.exitstatus = 0
        assert "unix:///nosuch/socket no such file" in say(controller, command)
        assert controller.exitstatus != 0


def test_the_number_is_answered_and_its_outcome_asked_for() -> None:
    """Whatever other callers' handovers the program's status shows."""
    server = Server(["web"])
    controller = control(server)
    assert say(controller, "restart web") == "web: started (handover 7 is under way)\n"
    running = {**ENDED, "phase": "booting", "total": 0}
    server.outcomes = [
        {"ended": {}, "reason": "", "running": running, "changes": 4},
        {"ended": ENDED, "reason": "", "running": {}, "changes": 5},
    ]
    text = say(controller, "restart --wait web")
    assert text == "web: booting\nweb: started (pid 1 -> 2 in 1.5 s)\n"
    assert server.calls[-3:] == ["request web", "outcome web 7 -1", "outcome web 7 4"]
    long = f"{'x' * 380} \\\\t"
    failed = {"succeeded": False, "output": [long]}
    server.outcomes = [{"ended": failed, "reason": "bad", "running": {}, "changes": 5}]
    assert say(controller, "restart --wait web").endswith(f"web: ERROR (bad)\n    | {long}\n")
    server.outcomes = [{"ended": {}, "reason": "never comes", "running": {}, "changes": 5}]
    assert say(controller, "restart --wait web") == "web: ERROR (never comes)\n"
    assert controller.exitstatus == 1


def test_a_supervisord_of_another_version() -> None:
    """After an upgrade without a restart of supervisord no restart becomes a plain one."""
    server = Server(["web"])
    server.lacks = ("request",)
    controller = control(server)
    assert "loaded another version of supervisor_unicorn" in say(controller, "restart web")
    assert controller.exitstatus == 1 and server.plain == []


@pytest.mark.parametrize("loaded", [True, False])
def test_a_listed_program_that_supervisord_does_not_manage(conf: Path, loaded: bool) -> None:
    """Its restart fails with the reason; one that no file lists is Supervisor's own, as ever."""
    server = Server(["worker"] if loaded else [], loaded)
    controller = control(server, conf)
    text = say(controller, "restart web other")
    why = f"[rpcinterface:unicorn] in {conf}:3 lists it, and supervisord has not loaded that"
    assert f"web: ERROR ({why}; `supervisorctl reload`" in text
    assert "other: stopped\nother: started\n" in text
    assert server.plain == ["other"] and controller.exitstatus == 1


def test_the_files_of_another_machine_s_supervisord_do_not_count(conf: Path) -> None:
    """`-s http://elsewhere` asks a supervisord that this configuration is not of."""
    server = Server([])
    controller = control(server, conf)
    controller.options.serverurl = "http://elsewhere:9001"
    assert say(controller, "restart web") == "web: stopped\nweb: started\n"


@pytest.mark.parametrize(
    ("config", "variable", "expected"),
    [
        ({}, None, False),
        ({"wait": "true"}, None, True),
        ({"wait": "On"}, "", True),
        ({"wait": "false"}, "1", True),
        ({"wait": "yes"}, "0", False),
        ({}, "yes", True),
    ],
)
def test_what_makes_a_plain_restart_wait(
    config: dict[str, str], variable: str | None, expected: bool
) -> None:
    """The environment, if it says something, or else the section; by Supervisor's own words."""
    environment = {} if variable is None else {VARIABLE: variable}
    assert waits("ctlplugin:unicorn", config, environment) is expected


@pytest.mark.parametrize(
    ("config", "environment", "line"),
    [
        ({"wait": "maybe"}, {}, "[ctlplugin:unicorn] wait: must be true or false, not 'maybe'"),
        ({"wait": ""}, {VARIABLE: "1"}, "[ctlplugin:unicorn] wait: must be true or false, not ''"),
        ({}, {VARIABLE: "si\n"}, f"{VARIABLE}: must be true or false, not 'si'"),
        ({"wiat": "true"}, {}, "[ctlplugin:unicorn] wiat: unknown option; the option is wait"),
    ],
)
def test_a_bad_setting_of_wait(
    config: dict[str, str],
    environment: dict[str, str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line, and nothing is restarted: a tool would take what is not waited for for good."""
    with pytest.raises(Refused) as caught:
        waits("ctlplugin:unicorn", config, environment)
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = Server(["web"])
    controller = control(server, **config)
    assert say(controller, "restart web").startswith(f"Error: {line}")
    assert controller.exitstatus == 2 and server.calls == []
    assert "web" in say(controller, "unicorn status") or server.calls


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("unicorn ", "", ["status ", "rollback ", "promote ", "leave ", "help "]),
        ("unicorn st", "st", ["status "]),
        ("unicorn status ", "", ["--json ", "web ", "worker "]),
        ("unicorn status --json we", "we", ["web "]),
        ("unicorn rollback ", "", ["web ", "worker "]),
        ("unicorn help ", "", []),
        ("restart --w", "--w", ["--wait "]),
        ("restart ", "", ["--wait ", "other ", "web ", "worker "]),
        ("restart --wait w", "w", ["web ", "worker "]),
        ("stop w", "w", ["web ", "worker "]),
        ("uni", "uni", ["unicorn "]),
    ],
)
def test_completion(line: str, text: str, expected: list[str]) -> None:
    """Tab knows the words of `unicorn`, its programs, and `--wait`; all else as Supervisor does."""
    complete = control(Server(["web", "worker"])).complete
    found = [complete(text, state, line) for state in range(len(expected) + 1)]
    assert found == [*expected, None]
