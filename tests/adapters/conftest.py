"""A real `Supervisor` or `Arbiter` object with real processes, whose loop a test turns itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from supervisor import events
from supervisor.options import ServerOptions
from supervisor.supervisord import Supervisor

from supervisor_unicorn.host import SupervisorSide
from supervisor_unicorn.process import ManagedSubprocess
from supervisor_unicorn.rpcinterface import side_for
from unicorn_handover.kernel.system import PR_SET_CHILD_SUBREAPER

from .circusd import Circusd, Make

CONF = """\
[supervisord]
logfile = {folder}/supervisord.log
childlogdir = {folder}
nodaemon = true
user = {user}

[program:web]
command = {python} {here}/master.py
startsecs = 0
stopsignal = QUIT
autorestart = unexpected
stdout_logfile = {folder}/web.out
stderr_logfile = {folder}/web.err
{web}

[program:plain]
command = {python} -c "import time; time.sleep(600)"
startsecs = 0

[eventlistener:unicorn_handover]
command = {driver}
events = UNICORN_DRIVER
"""


def _kill_group_of(pid: int) -> None:
    """Kill a program's group; a child that was forked just now is still in this process's own."""
    with contextlib.suppress(OSError):
        group = os.getpgid(pid)
        if group == os.getpgrp():
            os.kill(pid, signal.SIGKILL)
        else:
            os.killpg(group, signal.SIGKILL)


class Site:
    """supervisord without its HTTP servers, in this process."""

    def __init__(self, folder: Path, web: str, driver: str) -> None:
        self.folder = folder
        conf = folder / "supervisord.conf"
        conf.write_text(
            CONF.format(
                folder=folder,
                user=os.getuid(),
                python=sys.executable,
                here=Path(__file__).parent,
                web=web,
                driver=driver,
            )
        )
        events.clear()
        options = ServerOptions()
        options.realize(["-n", "-s", "-c", str(conf)])
        options.make_logger()
        options.test = True  # the loop is left after one turn
        self.options = options
        self.supervisord = Supervisor(options)
        for config in options.process_group_configs:
            self.supervisord.add_process_group(config)

    def manage(self, **config: str) -> SupervisorSide:
        """Load the plugin as supervisord does, before anything is started."""
        return side_for(
            self.supervisord, {"programs": "web", "state": f"{self.folder}/state", **config}
        )

    @property
    def web(self) -> ManagedSubprocess:
        """The managed program's process."""
        return self.supervisord.process_groups["web"].processes["web"]

    def turn(self) -> None:
        """One turn of supervisord's own loop."""
        self.supervisord.runforever()

    def turn_until(self, fact: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Turn the loop until something is so."""
        deadline = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.log}"
            self.turn()

    @property
    def log(self) -> str:
        """supervisord's log."""
        return (self.folder / "supervisord.log").read_text()

    @property
    def output(self) -> str:
        """What was captured of web's standard output."""
        return (self.folder / "web.out").read_text()

    def close(self) -> None:
        """Kill what was started and reap it."""
        for group in self.supervisord.process_groups.values():
            for process in group.processes.values():
                if process.pid:
                    _kill_group_of(process.pid)
        with contextlib.suppress(ChildProcessError):
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.01)
        events.clear()
        self.options.get_socket_map().clear()  # of what is watched; the next test's loop has it too
        self.options.logger.close()


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Make a `Site`; this process is a subreaper no more afterwards."""
    sites: list[Site] = []

    def make(web: str = "", driver: str = "sleep 600") -> Site:
        sites.append(Site(tmp_path, web, driver))
        return sites[-1]

    yield make
    for site in sites:
        site.close()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def make_circusd(tmp_path: Path) -> Iterator[Make]:
    """Make a `Circusd` whose watcher web is managed, and runs."""
    made: list[Circusd] = []

    def make(**keys: str) -> Circusd:
        made.append(Circusd(tmp_path, **keys))
        made[-1].start()
        return made[-1]

    yield make
    for circusd in made:
        circusd.close()
