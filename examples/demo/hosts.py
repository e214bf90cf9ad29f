"""Real supervisors in folders of their own, with one managed program called web."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from .load import ask
from .servers import BIN, PATH, App

PATIENCE = 60.0  # seconds for anything that should take two


class Failed(Exception):
    """The demonstration itself cannot go on."""


class Host:
    """One supervisor. `with` starts it; at the end nothing of it is left."""

    name: str
    restart_words: Sequence[str]
    stock_words: Sequence[str]  # the same without the plugin

    def __init__(
        self,
        folder: Path,
        app: App,
        options: str = "",
        managed: bool = True,
        sections: str = "",
    ) -> None:
        self.folder = folder
        self.app = app
        self.options = options
        self.managed = managed
        self.sections = sections  # of the host's configuration, besides the program's and ours
        self.process: subprocess.Popen[bytes] | None = None
        self.environ = {**os.environ, "PATH": PATH, "PYTHONUNBUFFERED": "1"}

    def __enter__(self) -> Host:
        self.conf.write_text(self.configuration())
        with open(self.folder / "host.out", "wb") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environ,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the demonstration, which stops the host
            )
        try:
            self._wait_until_it_serves()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while ask(self.app.port).fault:
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = (self.folder / "host.out").read_text(errors="replace")
                raise Failed(f"{self.name} did not start {self.app.server}:\n{output}{self.log()}")
            time.sleep(0.1)

    def end(self) -> int:
        """Shut the host down; return how many processes it failed to end, which are killed."""
        process, self.process = self.process, None
        if process is None:
            return 0
        family = self.family(process.pid)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        left = [one for one in family if one.is_running() and one.status() != "zombie"]
        if process.poll() is None:
            process.kill()
            process.wait()
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        return len(left)

    @staticmethod
    def family(pid: int) -> list[psutil.Process]:
        """All processes below this one."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid).children(recursive=True)
        return []

    def log(self) -> str:
        """What the program wrote."""
        with contextlib.suppress(OSError):
            return (self.folder / "web.log").read_text(errors="replace")
        return ""

    def run(self, words: Sequence[str], tell: Callable[[str], None] = lambda _: None) -> int:
        """Run a command of the host's, telling each line it prints; return its exit status."""
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environ,
            text=True,
        ) as command:
            assert command.stdout is not None
            for line in command.stdout:
                tell(line.rstrip())
            return command.wait()

    def restart(self, tell: Callable[[str], None]) -> int:
        """Restart web as the operator does, and wait; return the exit status."""
        return self.run(self.client(*self.restart_words), tell)

    def spoken(self) -> str:
        """The restart command as an operator types it."""
        return " ".join([Path(self.client()[0]).name, *self.restart_words])

    def lines(self, *words: str) -> list[str]:
        """What the host's client prints."""
        printed: list[str] = []
        self.run(self.client(*words), printed.append)
        return printed

    @property
    def conf(self) -> Path:
        """The host's configuration file."""
        raise NotImplementedError

    @property
    def command(self) -> Sequence[str]:
        """What starts the host in the foreground."""
        raise NotImplementedError

    @property
    def version(self) -> str:
        """The host's name and version."""
        return f"{self.name} {importlib.metadata.version(self.name.lower())}"

    def configuration(self) -> str:
        """Return the text of the configuration file."""
        raise NotImplementedError

    def client(self, *words: str) -> Sequence[str]:
        """The words of the host's client command."""
        raise NotImplementedError

    def master(self) -> int:
        """The master's pid, as the host tells it."""
        raise NotImplementedError


class Supervisor(Host):
    """supervisord with supervisor_unicorn."""

    name = "Supervisor"
    restart_words = ("restart", "--wait", "web")
    stock_words = ("restart", "web")

    @property
    def conf(self) -> Path:
        return self.folder / "supervisord.conf"

    @property
    def command(self) -> Sequence[str]:
        return [str(BIN / "supervisord"), "-c", str(self.conf)]

    def configuration(self) -> str:
        user = "user = root" if os.getuid() == 0 else ""
        return f"""\
[supervisord]
nodaemon = true
{user}
logfile = {self.folder}/supervisord.log
pidfile = {self.folder}/supervisord.pid
childlogdir = {self.folder}

[unix_http_server]
file = {self.folder}/supervisor.sock

[supervisorctl]
serverurl = unix://{self.folder}/supervisor.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[program:web]
command = {self.app.command}
directory = {self.folder}
stopsignal = {self.app.stop_signal}
redirect_stderr = true
stdout_logfile = {self.folder}/web.log

{self._plugin() if self.managed else ""}
{self.sections}
"""

    def _plugin(self) -> str:
        words = [str(BIN / "supervisor_unicorn"), "--echo-conf", "web"]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return printed.replace("programs = web\n", f"programs = web\n{self.options}\n", 1)

    def client(self, *words: str) -> Sequence[str]:
        return [str(BIN / "supervisorctl"), "-c", str(self.conf), *words]

    def master(self) -> int:
        return _number(self.lines("pid", "web"))


class Circus(Host):
    """circusd with circus_unicorn."""

    name = "Circus"
    restart_words = stock_words = ("restart", "web", "--waiting")

    @property
    def conf(self) -> Path:
        return self.folder / "circus.ini"

    @property
    def command(self) -> Sequence[str]:
        return [str(BIN / "circusd"), str(self.conf)]

    def configuration(self) -> str:
        plugin = f"""\
[plugin:unicorn]
use = circus_unicorn.UnicornPlugin
watchers = web
{self.options}
"""
        return f"""\
[circus]
endpoint = {self._endpoint}
pubsub_endpoint = ipc://{self.folder}/pubsub.sock

[watcher:web]
cmd = {self.app.command}
working_dir = {self.folder}
copy_env = True
stop_signal = {self.app.stop_signal}
stdout_stream.class = FileStream
stdout_stream.filename = {self.folder}/web.log
stderr_stream.class = FileStream
stderr_stream.filename = {self.folder}/web.log

{plugin if self.managed else ""}
{self.sections}
"""

    @property
    def _endpoint(self) -> str:
        return f"ipc://{self.folder}/circus.sock"

    def client(self, *words: str) -> Sequence[str]:
        circusctl = [str(BIN / "circusctl"), "--endpoint", self._endpoint]
        return [*circusctl, "--timeout", f"{PATIENCE:g}", *words]

    def master(self) -> int:
        return _number(self.lines("list", "web"))


HOSTS: dict[str, type[Host]] = {"supervisor": Supervisor, "circus": Circus}


def _number(lines: Sequence[str]) -> int:
    words: Iterator[str] = (word.strip(",") for line in lines for word in line.split())
    return next((int(word) for word in words if word.isdigit()), 0)
