"""A small web application in releases, as a deploy leaves them, and the servers that run it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent  # of the virtual environment
PATH = f"{BIN}:{os.environ['PATH']}"

SLOW_SECONDS = 2.0  # what /slow takes
WHY_BROKEN = "settings: DATABASE_URL is not set"


class App:
    """Releases in a folder, with `current` naming the one that the next master is to load.

    Each answers "RELEASE MASTER_PID".
    """

    server: str
    stop_signal: str
    release_file: str
    conf_file: str
    opens: str  # a line of that file: the master keeps so many files open

    def __init__(self, folder: Path, workers: int = 4) -> None:
        self.folder = folder
        self.workers = workers
        self.port = free_port()
        self.current = folder / "current"
        self.configure()

    def publish(self, release: str, boot: float = 0.0, broken: bool = False) -> None:
        """Deploy a release, which takes `boot` seconds to load, and fails then if `broken`."""
        home = self.folder / "releases" / release
        home.mkdir(parents=True)
        (home / self.release_file).write_text(self.source(release, boot, broken))
        link = self.folder / "next"
        link.symlink_to(home)
        link.rename(self.current)  # in one step, so that nobody ever finds no release

    def configure(self) -> None:
        """Write the server's configuration."""
        raise NotImplementedError

    def open_files(self, number: int) -> None:
        """Let the next master have so many files open besides."""
        conf = self.folder / self.conf_file
        conf.write_text(conf.read_text() + self.opens.format(number=number))

    def source(self, release: str, boot: float, broken: bool) -> str:
        """Return the text of a release."""
        raise NotImplementedError

    @property
    def command(self) -> str:
        """The command that starts the server, for the supervisor's configuration."""
        raise NotImplementedError

    @property
    def version(self) -> str:
        """The server's name and version."""
        words = [shutil.which(self.server, path=PATH) or self.server, "--version"]
        asked = subprocess.run(words, capture_output=True, text=True)
        return f"{self.server} {asked.stdout.split()[-1].strip('v()')}"


class Unicorn(App):
    """Runs it on unicorn."""

    server = "unicorn"
    stop_signal = "QUIT"
    release_file = "config.ru"
    conf_file = "unicorn.rb"
    opens = """\
Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE)[1])
$opened = Array.new({number}) {{ File.open("/dev/null") }}
"""

    def configure(self) -> None:
        """Write unicorn.rb."""
        (self.folder / self.conf_file).write_text(
            f"""\
worker_processes {self.workers}
listen "127.0.0.1:{self.port}", backlog: 1024
pid "{self.folder}/unicorn.pid"
working_directory "{self.current}"
preload_app true
timeout 60
"""
        )

    def source(self, release: str, boot: float, broken: bool) -> str:
        """Return a config.ru."""
        fault = f'raise "{WHY_BROKEN}"\n' if broken else ""
        return f"""\
sleep {boot}
{fault}run lambda {{ |env|
  sleep {SLOW_SECONDS} if env["PATH_INFO"] == "/slow"
  [200, {{"content-type" => "text/plain"}}, ["{release} #{{Process.ppid}}"]]
}}
"""

    @property
    def command(self) -> str:
        return f"unicorn -E production -c {self.folder}/unicorn.rb"


class Gunicorn(App):
    """Runs it on gunicorn."""

    server = "gunicorn"
    stop_signal = "TERM"
    release_file = "app.py"
    conf_file = "gunicorn.conf.py"
    opens = """\
import builtins
import resource

most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
builtins.opened = [open("/dev/null") for _ in range({number})]
"""

    def configure(self) -> None:
        """Write gunicorn.conf.py."""
        (self.folder / self.conf_file).write_text(
            f"""\
workers = {self.workers}
bind = "127.0.0.1:{self.port}"
backlog = 1024
pidfile = "{self.folder}/gunicorn.pid"
chdir = "{self.current}"
preload_app = True
timeout = 60
"""
        )

    def source(self, release: str, boot: float, broken: bool) -> str:
        """Return an app.py."""
        fault = f'raise RuntimeError("{WHY_BROKEN}")\n' if broken else ""
        return f"""\
import os
import time

time.sleep({boot})
{fault}
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep({SLOW_SECONDS})
    body = f"{release} {{os.getppid()}}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""

    @property
    def command(self) -> str:
        return f"gunicorn -c {self.folder}/gunicorn.conf.py app:app"


SERVERS: dict[str, type[App]] = {"unicorn": Unicorn, "gunicorn": Gunicorn}


def installed(server: str) -> bool:
    """True if the server's command can be found."""
    return shutil.which(server, path=PATH) is not None


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
