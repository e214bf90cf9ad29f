"""A real supervisord, told what to do by the real supervisorctl."""

from __future__ import annotations

import contextlib
import xmlrpc.client
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from ..waiting import wait_until
from . import commands
from .daemon_host import DaemonHost
from .host import Outcome
from .processes import look
from .programs import BIN, Program

DRIVER = "unicorn_handover"

CONF = """\
[supervisord]
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
nodaemon = {nodaemon}
{supervisord}

[unix_http_server]
file = {folder}/ctl
{credentials}
{http}

[supervisorctl]
serverurl = {url}
{credentials}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

{plugin}

{programs}
"""

PLUGIN = """\
[rpcinterface:unicorn]
supervisor.rpcinterface_factory = supervisor_unicorn:make_rpcinterface
{options}

{listener}

[ctlplugin:unicorn]
supervisor.ctl_factory = supervisor_unicorn:make_ctlplugin
"""

LISTENER = f"""\
[eventlistener:{DRIVER}]
command = {BIN}/supervisor_unicorn
events = UNICORN_DRIVER
startsecs = 0
stderr_logfile = {{folder}}/driver.err
"""


class SupervisorHost(DaemonHost):
    """supervisord in the foreground, or with `daemon` in the background."""

    name = "supervisor"
    conf_name = "supervisord.conf"
    daemon_name = "supervisord"
    section = "program"
    directory = "directory"
    spawns = True
    patience = "stopwaitsecs"
    account = "user"

    bin = BIN  # where supervisord and supervisorctl are
    daemon = False
    plugin = PLUGIN
    listener = LISTENER
    http = ""  # an [inet_http_server], if wanted
    credentials = ""
    supervisord = ""  # keys of [supervisord]

    @property
    def socket(self) -> Path:
        """Where supervisord takes commands."""
        return self.folder / "ctl"

    def configuration(self) -> str:
        return CONF.format(
            folder=self.folder,
            nodaemon=str(not self.daemon).lower(),
            supervisord=self.supervisord,
            credentials=self.credentials,
            http=self.http,
            url=f"unix://{self.socket}",
            plugin=self.plugin.format(
                options=self.plugin_options("programs"),
                listener=self.listener.format(folder=self.folder),
            ),
            programs=self.sections(),
        )

    def keys(self, program: Program) -> dict[str, str]:
        return {
            "command": program.command_line,
            "directory": str(program.folder),
            "stopsignal": program.stopsignal,
            self.patience: "20",
            "startsecs": "0",
            "autorestart": "true" if program.restarted else "unexpected",
            "stdout_logfile": f"{self.folder}/{program.name}.out",
            "stderr_logfile": f"{self.folder}/{program.name}.err",
        }

    # -- supervisord -----------------------------------------------------------------------------

    def launch(self) -> None:
        self.write_conf()
        words = [f"{self.bin}/supervisord", "-c", str(self.conf)]
        self.spawn(words, self.folder, "supervisord.out")
        wait_until(self._answers, "supervisord answers")
        self.found = look(self.rpc.supervisor.getPID())
        if self.plugin and self.listener:
            wait_until(self.driver_is_there, "the driver is there")

    def stop_without_waiting(self, name: str) -> None:
        self.rpc.supervisor.stopProcess(name, False)

    def leave(self, *names: str) -> Outcome:
        return self.ctl("unicorn", "leave", *names)

    def end_and_start_again(self, way: str) -> None:
        self.was_killed = True
        if way == "shutdown":
            self.shutdown()
            self.launch()
            return
        drivers = self.driver()
        assert self.ctl("reload").ok
        wait_until(lambda: self._answers() and self.driver() not in (0, drivers), "a new driver")

    def _answers(self) -> bool:
        try:
            return bool(self.rpc.supervisor.getState()["statename"] == "RUNNING")
        except (OSError, xmlrpc.client.Error):
            return False

    @property
    def rpc(self) -> Any:
        """supervisord's XML-RPC."""
        fields = dict(line.split(" = ") for line in self.credentials.splitlines())
        transport = SupervisorTransport(
            fields.get("username"), fields.get("password"), f"unix://{self.socket}"
        )
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport)

    def ctl_words(self, *words: str) -> list[str]:
        """A command of supervisorctl."""
        return [f"{self.bin}/supervisorctl", "-c", str(self.conf), *words]

    def ctl(self, *words: str, seconds: float = 60) -> Outcome:
        """Run supervisorctl."""
        return commands.run(self.ctl_words(*words), self.folder, seconds)

    def shutdown(self) -> None:
        # The answer may be lost with it, and another may have told it to end already.
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            self.rpc.supervisor.shutdown()
        self.wait_for_end()

    # -- programs --------------------------------------------------------------------------------

    def restart_words(self, *names: str, wait: bool = True) -> list[str]:
        return self.ctl_words("restart", *(["--wait"] if wait else []), *names)

    def restart(self, *names: str, wait: bool = True, seconds: float = 60) -> Outcome:
        return self.ctl("restart", *(["--wait"] if wait else []), *names, seconds=seconds)

    def info(self, name: str) -> dict[str, Any]:
        """Supervisor's own getProcessInfo, {} if it does not know the name."""
        try:
            info: dict[str, Any] = self.rpc.supervisor.getProcessInfo(name)
        except (OSError, xmlrpc.client.Error):
            return {}
        return info

    def state(self, name: str) -> str:
        return str(self.info(name).get("statename", "")).lower()

    def master(self, name: str) -> int:
        return int(self.info(name).get("pid", 0))

    def stop(self, name: str) -> Outcome:
        return self.ctl("stop", name)

    def begin(self, name: str) -> Outcome:
        return self.ctl("start", name)

    def signal(self, name: str, number: str) -> Outcome:
        return self.ctl("signal", number, name)

    # -- handovers -------------------------------------------------------------------------------

    def status(self, name: str) -> dict[str, Any]:
        """The plugin's status of a program."""
        status: dict[str, Any] = self.rpc.unicorn.status(name)
        return status

    def phase(self, name: str) -> str:
        return str(self.status(name)["phase"])

    def ended(self, name: str) -> list[dict[str, object]]:
        return list(self.status(name)["ended"])

    def rollback(self, name: str) -> Outcome:
        return self.ctl("unicorn", "rollback", name)

    def promote(self, name: str) -> Outcome:
        return self.ctl("unicorn", "promote", name)

    def following(self, name: str) -> int:
        return int(self.status(name)["following"])

    def driver(self) -> int:
        return self.master(DRIVER)

    def driver_is_there(self) -> bool:
        return self.state(DRIVER) == "running"

    def stop_driver(self) -> None:
        self.rpc.supervisor.stopProcess(DRIVER)

    def begin_driver(self) -> None:
        self.rpc.supervisor.startProcess(DRIVER)
        wait_until(self.driver_is_there, "the driver is there")
