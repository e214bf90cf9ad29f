"""The programs under test: a real unicorn or gunicorn with an app whose releases can be broken."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..waiting import wait_until
from . import apps
from .load import Address, Answer, Request, ask

BIN = Path(sys.executable).parent
UNICORN = shutil.which("unicorn") or "/usr/bin/unicorn"
OTHER_GUNICORNS = ["20.1.0", "22.0.0"]  # as `scripts/setup gunicorns` brings them
GRACEFUL = {"unicorn": "QUIT", "gunicorn": "TERM"}
WORKER_TIMEOUT = 60  # seconds; half of it until one of gunicorn's sees that its master died
BEFORE_ORPHANS_END = 20.0  # seconds: who is left for longer was not ended by anybody
PORTS = range(12000, 32000)  # below what the kernel gives to clients


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 16
    share = PORTS[worker::16]
    turn = int.from_bytes(os.urandom(2), "big")
    while True:
        turn += 1
        port = share[turn % len(share)]
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


_free_ports = _ports()
_marks = itertools.count(1)


def free_port() -> int:
    """A port of the loopback address that nobody has, nor soon another test."""
    return next(_free_ports)


def installed(server: str) -> bool:
    """True if the command of a server is here."""
    return Path(UNICORN if server == "unicorn" else f"{BIN}/{server}").exists()


def gunicorn(version: str) -> Path:
    """The command of another gunicorn than the newest."""
    path = Path(__file__).parents[2] / f".venv-gunicorn-{version}/bin/gunicorn"
    assert path.exists(), "scripts/setup gunicorns brings it"
    return path


def short_folder() -> Path:
    """A new folder with a path short enough for the name of a unix socket."""
    return Path(tempfile.mkdtemp(prefix="uh-"))


def deploy_file(path: Path, text: str) -> None:
    """Put a file in its place whole: a worker that still boots may read it at any moment."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


@dataclass
class Program:
    """One program in a folder of its own; `write` puts a release on the disk.

    `settings` are lines for the server's configuration file, `host_options` keys and values for
    the section of the host's configuration that starts the program.
    """

    folder: Path
    name: str = "web"
    server: str = "unicorn"
    preload: bool = False
    unix: bool = False
    ip: str = "127.0.0.1"
    workers: int = 2
    timeout: int = WORKER_TIMEOUT
    settings: str = ""
    pidfile: bool = True
    words: str = ""  # more of the command line
    command: str = ""  # instead of the usual one
    restarted: bool = False  # by the host, whatever way it ended
    boot: float = 1.0  # seconds that a slow release loads
    host_options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.folder / self.name
        self.folder.mkdir()
        self.port = 0 if self.unix else free_port()
        self.gate = self.folder / "gate"
        self.exec_gate = self.folder / "exec-gate"
        self.answer = self.folder / "answer"
        self.pid_path = self.folder / "pid"
        self.conf = self.folder / ("unicorn.rb" if self.server == "unicorn" else "gunicorn.py")
        self.write("v1")

    @property
    def address(self) -> Address:
        """Where it listens."""
        return str(self.folder / "sock") if self.unix else (self.ip, self.port)

    @property
    def _listens_on(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    @property
    def stopsignal(self) -> str:
        """The name of the signal that ends it gracefully."""
        return GRACEFUL[self.server]

    @property
    def command_line(self) -> str:
        """The command that the host runs."""
        if self.command:
            return self.command
        if self.server == "unicorn":
            usual = f"{UNICORN} -E none -c {self.conf} {self.folder}/config.ru"
        else:
            usual = f"{BIN}/gunicorn -c {self.conf} app:application"
        return f"{usual} {self.words}".strip()

    def write(self, release: str, *kinds: str) -> None:
        """Put a release of some kinds on the disk, to be loaded by the next master.

        good; gated: loads when `open_gate` is called; slow: for `boot` seconds; raises, hangs,
        exits: at load; config: has a bad configuration file; sick: answers 500; traps: has a
        handler for each signal that it may trap; helper: forks a process that stays.
        """
        self.gate.unlink(missing_ok=True)
        app, boots = apps.RUBY, apps.RUBY_BOOT
        if self.server == "gunicorn":
            app, boots = apps.PYTHON, apps.PYTHON_BOOT
        kept = f"{apps.ENDING} {apps.LEADING}" if self.preload else apps.ENDING
        boot = "\n".join(boots[kind] for kind in kinds)
        boot = boot.format(name=release, gate=str(self.gate), kept=kept, seconds=self.boot)
        status = 500 if "sick" in kinds else 200
        text = app.format(
            name=release,
            boot=boot,
            status=status,
            answer=str(self.answer),
            entered=str(self.folder / "entered-"),
            begun=str(self.folder / f"begun-{release}"),
            loaded=str(self.folder / "loaded-"),
        )
        target = self.folder / ("config.ru" if self.server == "unicorn" else "app.py")
        deploy_file(target, text)
        settings = self._unicorn_settings() if self.server == "unicorn" else self._settings()
        broken = "raise 'no such setting'" if self.server == "unicorn" else "raise OSError('no')"
        deploy_file(self.conf, settings + (f"{broken}\n" if "config" in kinds else ""))

    def open_gate(self) -> None:
        """Let a gated release load, a held re-exec go on, and held requests be answered."""
        for path in (self.gate, self.exec_gate, self.answer):
            path.touch()

    def _unicorn_settings(self) -> str:
        listener = repr(self.address if self.unix else self._listens_on)
        pid = f'pid "{self.pid_path}"\n' if self.pidfile else ""
        return (
            f"listen {listener}\nworker_processes {self.workers}\n{pid}timeout {self.timeout}\n"
            f"preload_app {str(self.preload).lower()}\n{self.settings}\n"
        )

    def _settings(self) -> str:
        bind = f"unix:{self.address}" if self.unix else self._listens_on
        pid = f"pidfile = {str(self.pid_path)!r}\n" if self.pidfile else ""
        return (
            f"bind = {bind!r}\nworkers = {self.workers}\npreload_app = {self.preload}\n{pid}"
            f"timeout = {self.timeout}\ngraceful_timeout = 15\ncontrol_socket_disable = True\n"
            # A release must not be loaded from the byte code of the one before it.
            f"import sys\nsys.dont_write_bytecode = True\n{self.settings}\n"
        )

    def ask(self, path: str = "/", patience: float = 30.0) -> Answer:
        """Make one request, and wait so many seconds for each piece of its answer."""
        return ask(self.address, path, patience)

    def request(self, path: str) -> Request:
        """Make one request that a worker is busy with from now on."""
        mark = f"{next(_marks)}"
        request = Request(self.address, f"{path}?{mark}")
        wait_until((self.folder / f"entered-{mark}").exists, "the request is under way")
        return request

    def answers(self, release: str = "") -> bool:
        """True if it answers well, and if `release` is given, that release does."""
        answer = self.ask()
        return answer.outcome == "ok" and release in ("", answer.release)

    def began_to_load(self, release: str) -> bool:
        """True once a process has read a release from the disk."""
        return (self.folder / f"begun-{release}").exists()

    def has_loaded(self, *pids: int) -> bool:
        """True if one of these processes has loaded a release whole."""
        return any((self.folder / f"loaded-{pid}").exists() for pid in pids)

    def pid_in_file(self) -> int:
        """The number in the pid file, 0 if there is none."""
        try:
            return int(self.pid_path.read_text())
        except (OSError, ValueError):
            return 0
