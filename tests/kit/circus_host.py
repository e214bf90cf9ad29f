"""A real circusd, told what to do by the real circusctl and circus_unicorn."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from circus.client import CircusClient
from circus.exc import CallError

from ..waiting import LIMIT, wait_until
from . import commands
from .circus_events import Event, collected
from .daemon_host import DaemonHost
from .host import Outcome
from .processes import Found
from .programs import BIN, Program

DRIVER = "plugin:unicorn"
PROBE = f"watcher.{DRIVER}.updated"  # an event that changes nothing
PATIENCE = 90  # seconds for circusctl
BUSY = "arbiter is already running"  # of circus.util.synchronized

CONF = """\
[circus]
endpoint = {endpoint}
pubsub_endpoint = ipc://{folder}/pubsub
{circus}

{programs}

{plugin}
"""

PLUGIN = f"""\
[{DRIVER}]
use = circus_unicorn.UnicornPlugin
graceful_timeout = 2
{{options}}
"""


class CircusHost(DaemonHost):
    """circusd in the foreground."""

    name = "circus"
    conf_name = "circus.ini"
    daemon_name = "circusd"
    section = "watcher"
    directory = "working_dir"
    spawns = True
    patience = "graceful_timeout"
    account = "uid"

    plugin = PLUGIN
    circus = ""  # keys of [circus]

    @property
    def endpoint(self) -> str:
        """Where circusd takes commands."""
        return f"ipc://{self.folder}/ctl"

    def configuration(self) -> str:
        return CONF.format(
            folder=self.folder,
            endpoint=self.endpoint,
            circus=self.circus,
            plugin=self.plugin.format(options=self.plugin_options("watchers")),
            programs=self.sections(),
        )

    def keys(self, program: Program) -> dict[str, str]:
        return {
            "cmd": program.command_line,
            "working_dir": str(program.folder),
            "copy_env": "True",
            "stop_signal": program.stopsignal,
            self.patience: "20",
            "stdout_stream.class": "FileStream",
            "stdout_stream.filename": f"{self.folder}/{program.name}.out",
            "stderr_stream.class": "FileStream",
            "stderr_stream.filename": f"{self.folder}/{program.name}.err",
        }

    # -- circusd ---------------------------------------------------------------------------------

    def launch(self) -> None:
        self.write_conf()
        words = [f"{BIN}/circusd", "--log-output", f"{self.folder}/circusd.log", str(self.conf)]
        self.spawn(words, self.folder, "circusd.out")
        wait_until(lambda: self.ask("list").get("status") == "ok", "circusd answers")
        if self.plugin:
            wait_until(self.driver_is_there, "the driver is there")

    def call(self, command: str, patience: float = LIMIT, **properties: Any) -> dict[str, Any]:
        """circusd's answer to a message, {} if it does not answer."""
        client = CircusClient(endpoint=self.endpoint, timeout=patience)
        try:
            answer: dict[str, Any] = client.send_message(command, **properties)
        except CallError:
            return {}
        finally:
            client.stop()
        return answer

    def ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """circusd's answer to what can be asked twice, {} if it has ended.

        Answers are lost when it starts anew.
        """
        answer = wait_until(
            lambda: self.call(command, 5, **properties) or not self.pid(), f"{command} is answered"
        )
        return answer if isinstance(answer, dict) else {}

    def ctl(self, *words: str, seconds: float = PATIENCE) -> Outcome:
        """Run circusctl, which by itself would give up after 5 s."""
        return commands.persist(BUSY, self.ctl_words(*words), self.folder, seconds)

    def ctl_words(self, *words: str) -> list[str]:
        """A command of circusctl."""
        return [f"{BIN}/circusctl", *self._patiently(words)]

    def unicorn(self, *words: str) -> Outcome:
        """Run the command `circus_unicorn`."""
        words = (f"{BIN}/circus_unicorn", *self._patiently(words))
        return commands.run(words, self.folder, PATIENCE)

    def _patiently(self, words: Sequence[str]) -> list[str]:
        patience = [] if "--timeout" in words else ["--timeout", f"{LIMIT:g}"]
        return ["--endpoint", self.endpoint, *patience, *words]

    def shutdown(self) -> None:
        # Circus refuses it while it is busy with another command or its own look at the watchers.
        wait_until(lambda: self._quits() or not self.pid(), "quit is accepted")
        self.wait_for_end()

    def _quits(self) -> bool:
        return self.call("quit", 5).get("status") == "ok"  # one that has ended does not answer

    def stop_without_waiting(self, name: str) -> None:
        self.ctl("stop", name)

    def leave(self, *names: str) -> Outcome:
        return self.unicorn("leave", *names)

    def end_and_start_again(self, way: str) -> None:
        self.was_killed = True
        old = self.driver()
        if way == "shutdown":
            self.shutdown()
            self.launch()
        else:
            assert self.ctl("restart").ok
        wait_until(lambda: self.driver_is_there() and self.driver() != old, "a new driver")

    def events(self, topic: str) -> contextlib.AbstractContextManager[list[Event]]:
        """Collect the events whose topic begins with this, while the `with` block runs."""
        return collected(f"ipc://{self.folder}/pubsub", topic, PROBE, self._probe)

    def _probe(self) -> bool:
        """Have circusd publish PROBE: one that takes a connection may not send to it yet."""
        answer = self.ask("set", name=DRIVER, options={"warmup_delay": 0})
        return answer.get("status") == "ok"

    # -- programs --------------------------------------------------------------------------------

    def restart_words(self, *names: str, wait: bool = True) -> list[str]:
        return self.ctl_words("restart", *names, *(["--waiting"] if wait else []))

    def restart(self, *names: str, wait: bool = True, seconds: float = PATIENCE) -> Outcome:
        outcomes = [self._restart(name, wait, seconds) for name in names]
        text = "".join(outcome.text for outcome in outcomes)
        status = max(outcome.status for outcome in outcomes)
        return Outcome(text, status, sum(outcome.seconds for outcome in outcomes))

    def _restart(self, name: str, wait: bool, seconds: float) -> Outcome:
        """Run circusctl, and tell in supervisorctl's words what it told."""
        words = ["--timeout", f"{seconds:g}", "restart", name, *(["--waiting"] if wait else [])]
        outcome = self.ctl(*words, seconds=seconds + 5)
        if outcome.ok:
            pid = f" (pid {self.master(name)})" if wait else ""
            return outcome._replace(text=f"{name}: started{pid}\n")
        why, newline, rest = outcome.text.partition("\n")
        return outcome._replace(text=f"{name}: ERROR ({why}){newline}{rest}\n")

    def state(self, name: str) -> str:
        status = str(self.ask("status", name=name).get("status", ""))
        return {"active": "running", "error": ""}.get(status, status)

    def master(self, name: str) -> int:
        pids = self.ask("list", name=name).get("pids", [])
        return int(pids[0]) if pids else 0

    def family(self, name: str) -> list[Found]:
        # Circus puts the plugin's options, and so maybe a program's folder, on its command line.
        driver = self.driver() if self.pid() else 0
        return [found for found in super().family(name) if found.pid != driver]

    def stop(self, name: str) -> Outcome:
        return self.ctl("stop", name, "--waiting")

    def begin(self, name: str) -> Outcome:
        return self.ctl("start", name, "--waiting")

    def signal(self, name: str, number: str) -> Outcome:
        return self.ctl("signal", name, number)

    # -- handovers -------------------------------------------------------------------------------

    def status(self, name: str) -> dict[str, Any]:
        """The plugin's status of a watcher."""
        answer = self.ask("unicorn", do="status", name=name)
        watchers: list[dict[str, Any]] = answer.get("watchers", [])
        return watchers[0] if watchers else {}

    def phase(self, name: str) -> str:
        return str(self.status(name).get("phase"))

    def ended(self, name: str) -> list[dict[str, object]]:
        return list(self.status(name)["ended"])

    def rollback(self, name: str) -> Outcome:
        return self.unicorn("rollback", name)

    def promote(self, name: str) -> Outcome:
        return self.unicorn("promote", name)

    def following(self, name: str) -> int:
        return int(self.status(name)["following"])

    def driver(self) -> int:
        return self.master(DRIVER)

    def driver_is_there(self) -> bool:
        return self.ask("unicorn", do="status").get("driver") == self.driver() != 0

    def stop_driver(self) -> None:
        self.ctl("stop", DRIVER, "--waiting")

    def begin_driver(self) -> None:
        self.ctl("start", DRIVER, "--waiting")
        wait_until(self.driver_is_there, "the driver is there")
