"""A real arbiter of Circus's with real processes, in this process, whose loop a test turns."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from circus import logger
from circus.arbiter import Arbiter
from tornado.ioloop import IOLoop

from circus_unicorn import enter
from circus_unicorn.host import CircusSide
from circus_unicorn.watcher import ManagedWatcher
from unicorn_handover.kernel.system import PR_SET_CHILD_SUBREAPER

CONF = """\
[circus]
check_delay = -1
endpoint = ipc://{folder}/ctl
pubsub_endpoint = ipc://{folder}/pubsub

[watcher:web]
cmd = {python} {here}/master.py
stop_signal = QUIT
copy_env = True
hooks.before_signal = tests.adapters.circusd.hook
hooks.after_reap = tests.adapters.circusd.hook
{web}

[plugin:unicorn]
use = {use}
state = {folder}/state
{plugin}
{more}
"""

KEYS = {
    "web": "",
    "use": "circus_unicorn.UnicornPlugin",
    "plugin": "watchers = web",
    "more": "",
}

hooked: list[dict[str, Any]] = []
allowed = [True]  # what the hook answers


def hook(watcher: object, arbiter: object, **told: Any) -> bool:
    """The user's own, of the watcher web."""
    hooked.append(told)
    return allowed[0]


class Circusd:
    """circusd without its main loop, its regular looks and its driver, unless a test starts it."""

    def __init__(self, folder: Path, **keys: str) -> None:
        hooked.clear()
        allowed[:] = [True]
        self.lines: list[str] = []
        self.conf = folder / "circus.ini"
        self.keys = {**KEYS, **keys}
        self.write()
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._handler = logging.Handler()
        self._handler.emit = lambda record: self.lines.append(record.getMessage())  # type: ignore[method-assign]
        logger.addHandler(self._handler)
        self.arbiter = self._run(self._start)

    def write(self, **keys: str) -> None:
        """Write the configuration, with these parts of it changed."""
        self.keys.update(keys)
        here = Path(__file__).parent
        values = {"folder": self.conf.parent, "here": here, "python": sys.executable, **self.keys}
        self.conf.write_text(CONF.format(**values))

    def _run(self, act: Callable[[], Any]) -> Any:
        return IOLoop.current().run_sync(act, timeout=20)

    async def _start(self) -> Arbiter:
        arbiter = Arbiter.load_from_config(str(self.conf), loop=IOLoop.current())
        for watcher in arbiter.watchers:
            watcher.autostart = not watcher.name.startswith("plugin:")
        await arbiter.start()
        return arbiter

    # -- what a test looks at --------------------------------------------------------------------

    @property
    def host(self) -> CircusSide:
        """The host side."""
        assert enter._side
        return enter._side

    @property
    def web(self) -> ManagedWatcher:
        """The managed watcher."""
        watcher: ManagedWatcher = self.arbiter.get_watcher("web")
        return watcher

    @property
    def master(self) -> int:
        """The pid of its master, 0 if it has none."""
        master = self.web.master  # looked up once: it may die between two looks
        return master.pid if master else 0

    @property
    def log(self) -> str:
        """circusd's log."""
        return "\n".join(self.lines)

    def is_there(self, pid: int) -> bool:
        """True if a process has exec'd, and set the handlers that the proofs look for."""
        stat, masks = self.host.system.stat(pid), self.host.system.signal_masks(pid)
        return bool(stat and not stat.forked_only and masks and masks.catches(signal.SIGTTOU))

    # -- what a test does ------------------------------------------------------------------------

    def turn_until(self, fact: Callable[[], Any], what: str, seconds: float = 10) -> Any:
        """Turn the loop until something is so."""
        deadline = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.log}"
            self._run(lambda: asyncio.sleep(0.01))
        return fact()

    def told(self, future: Any) -> Any:
        """What a command is answered at last."""
        done: list[Any] = []
        future.add_done_callback(done.append)  # all that each of Circus's own futures can do
        self.turn_until(lambda: done, "the command is done")
        return future.result()

    def command(self, name: str, /, **props: Any) -> Any:
        """Let Circus's controller execute a command; returns its answer, or its future."""
        command = self.arbiter.ctrl.commands[name]
        command.validate(props)
        return command.execute(self.arbiter, props)

    def manage(self) -> None:
        """Circus's regular look at its processes."""
        self.told(self.arbiter.manage_watchers())

    def start(self) -> None:
        """Turn the loop until web is managed, and its master has its handlers."""
        self.turn_until(lambda: "web" in self.host.watchers, "web is managed")
        self.turn_until(lambda: self.is_there(self.master), "its master is there")

    def start_anew(self) -> None:
        """`circusctl restart` without a name."""
        self.told(self.arbiter.restart(inside_circusd=True))
        self.turn_until(lambda: not self.arbiter.running, "the arbiter has stopped")
        self.arbiter = self._run(self._start)

    def masters(self) -> list[int]:
        """The living masters that are children of this process."""
        system = self.host.system
        return [
            pid
            for pid in system.children(os.getpid())
            if any(word.endswith("/master.py") for word in system.command_line(pid))
        ]

    def re_execute(self) -> int:
        """USR2 as sent by hand; returns the new master."""
        old = self.master
        os.kill(old, signal.SIGUSR2)
        children = self.host.system.children
        self.turn_until(lambda: any(map(self.is_there, children(old))), "there is a new master")
        return children(old)[0]

    def close(self) -> None:
        """Kill what was started, and leave this process as it was."""
        self.arbiter.stop_controller_and_close_sockets()
        logger.removeHandler(self._handler)
        atexit.unregister(self.host.circusd_ends)
        self.host.close_notes()
        enter._side = None
        deadline = time.monotonic() + 5
        while psutil.Process().children(recursive=True) and time.monotonic() < deadline:
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        self._loop.close()
        asyncio.set_event_loop(None)


Make = Callable[..., Circusd]
