"""A new master that circusd starts beside a watcher's running one."""

from __future__ import annotations

import contextlib
import copy
import os
from typing import Any

from circus.process import Process
from circus.util import replace_gnu_args
from circus.watcher import Watcher

from unicorn_handover.errors import Refused, printable
from unicorn_handover.host.copies import Command
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.model.record import Record
from unicorn_handover.servers import Launch, words_of

from .given import GivenProcess

# What a process is started by, and a re-exec keeps: attributes of Circus's watchers.
RENEWED = ("cmd", "args", "working_dir", "shell", "uid", "gid", "env", "rlimits", "executable")


KEYS = {*RENEWED, "copy_env", "copy_path", "virtualenv", "virtualenv_py_ver"}  # that make them


def settings_of(watcher: Watcher) -> dict[str, Any]:
    """What a process of the watcher is started by now."""
    return {name: copy.copy(getattr(watcher, name)) for name in RENEWED}


class BesideProcess:
    """One watcher's new master, from its start until it takes the old one's place or has ended."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._process: Process | None = None
        self._settings: dict[str, Any] = {}
        self._section: dict[str, Any] | None = None  # the one before `configure`, until it is over

    def difference(self) -> str:
        """The settings that have changed since the running master was started."""
        running, now = self._running(), settings_of(self._watcher)
        changed = [name for name in RENEWED if running and running[name] != now[name]]
        return f"[watcher:{self._watcher.name}] {', '.join(changed)} changed" if changed else ""

    def configure(self, section: dict[str, Any]) -> None:
        """Apply the settings of a newly read section, which differs only in some of KEYS.

        Circus finds it unchanged from now on; if the handover fails it is changed again.
        """
        plain = {key: value for key, value in section.items() if not key.endswith("_stream")}
        new = Watcher.load_from_config(plain)
        for name in RENEWED:
            setattr(self._watcher, name, getattr(new, name))
        self._section, self._watcher._cfg = self._watcher._cfg, {**section, "env": new._cfg["env"]}

    @property
    def next_launch(self) -> Launch:
        """How Circus would start it: what was set is in force for the next start already."""
        launch: Launch = self._watcher.launch
        return launch

    def command(self) -> Command:
        """How Circus would start the watcher's process now."""
        watcher = self._watcher
        args = watcher.args or ()
        words = [*words_of(watcher.cmd), *(words_of(args) if isinstance(args, str) else args)]
        directory = os.path.abspath(watcher.working_dir)
        pidfile = watcher.program.options.pidfile
        return Command(words, directory, watcher.env or {}, pidfile)

    def start_beside(self, inheritance: Inheritance) -> int:
        """Start a process by the settings as they are now. Circus does not know of it yet."""
        if not self._watcher.call_hook("before_spawn"):
            raise Refused(f"[watcher:{self._watcher.name}] hooks.before_spawn forbids it")
        try:
            process = self._started(inheritance)
        except (OSError, ValueError) as error:
            why = printable(str(error))
            raise Refused(f"[watcher:{self._watcher.name}] cmd: {why}") from error
        self._process, self._settings = process, settings_of(self._watcher)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        if self._watcher.stream_redirector:
            self._watcher.stream_redirector.start()
            self._watcher.stream_redirector.add_redirections(process)
        return int(process.pid)

    def let_beside_go_on(self) -> None:
        """It has not waited."""

    def _started(self, inheritance: Inheritance) -> Process:
        watcher = self._watcher
        return GivenProcess(
            watcher.name,
            watcher._nextwid,
            replace_gnu_args(watcher.cmd, env=watcher.env),
            args=watcher.args,
            working_dir=watcher.working_dir,
            shell=watcher.shell,
            uid=watcher.uid,
            gid=watcher.gid,
            env=watcher.env,
            rlimits=watcher.rlimits,
            executable=watcher.executable,
            given=inheritance,
            watcher=watcher,
            pipe_stdout=watcher.stdout_stream is not None,
            pipe_stderr=watcher.stderr_stream is not None,
            close_child_stdin=watcher.close_child_stdin,
            close_child_stdout=watcher.close_child_stdout,
            close_child_stderr=watcher.close_child_stderr,
        )

    def reap_beside(self) -> None:
        """Reap the new master, which has exited before it could replace the old one."""
        process = self._drop()
        if process:
            process.poll()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        self._watcher.program.beside.ended()

    def take(self, pid: int) -> tuple[Process, dict[str, Any]] | None:
        """Give it away with what it was started by, if it has this pid: it takes the place."""
        if self._process is None or self._process.pid != pid:
            return None
        process = self._drop()
        return (process, self._settings) if process else None

    def over(self, record: Record) -> None:
        """Set back settings that failed, so that a crash does not start them either."""
        was_new = self._section is not None or (record.method == "spawn" and record.why)
        if record.succeeded:
            self._section = None
        elif was_new:
            self.set_back()

    def set_back(self) -> None:
        """Take the settings, and the section, of the master that runs."""
        section, self._section = self._section, None
        if section is not None:
            self._watcher._cfg = section
        running, now = self._running(), settings_of(self._watcher)
        changed = [name for name in RENEWED if running and running[name] != now[name]]
        for name in changed:
            setattr(self._watcher, name, running[name])
        if changed:
            self._watcher.warn(f"set back to what runs: {', '.join(changed)}")

    def _running(self) -> dict[str, Any]:
        """What the running master was started by, {} if there is none."""
        process = self._watcher.process
        return dict(process.started_by) if process else {}

    def _drop(self) -> Process | None:
        process, self._process = self._process, None
        if process and self._watcher.stream_redirector:
            self._watcher.drain()
            with contextlib.suppress(Exception):
                self._watcher.stream_redirector.remove_redirections(process)
        return process
