"""A new master that circusd starts beside a watcher's running one."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from circus.process import Process
from circus.util import replace_gnu_args
from circus.watcher import Watcher

from unicorn_handover.errors import Refused, printable
from unicorn_handover.host.copies import Command
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.host.loop import Call
from unicorn_handover.kernel.process import Process as HeldProcess
from unicorn_handover.servers import Launch

from .adopted import AdoptedWorker, reopened
from .inheriting import InheritingProcess
from .launch import launch_by
from .settings import Settings, settings_of


class BesideProcess:
    """One watcher's new master, from its start until it takes the old one's place or has ended."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._process: Process | None = None
        self._settings: Settings = {}

    def difference(self) -> str:
        """The settings that have changed since the running master was started."""
        watcher = self._watcher
        if watcher.program.options.method != "usr2":
            watcher.in_force.renew()
        difference: str = watcher.in_force.difference()
        return difference

    @property
    def next_launch(self) -> Launch:
        """How Circus would start the new master: by what is set now."""
        started_in = self._watcher.launch.started_in
        return launch_by(self._watcher, settings_of(self._watcher), started_in)

    def command(self) -> Command:
        """The command of that start."""
        command: Command = self._watcher.command_in_force()
        return command

    def start_beside(self, inheritance: Inheritance) -> tuple[int, Call]:
        """Start a process by the settings as they are now. Circus does not know of it yet."""
        if not self._watcher.call_hook("before_spawn"):
            raise Refused(f"[watcher:{self._watcher.name}] hooks.before_spawn forbids it")
        try:
            process = self._made(given=inheritance)
        except (OSError, ValueError) as error:
            why = printable(str(error))
            raise Refused(f"[watcher:{self._watcher.name}] cmd: {why}") from error
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        self._begin(process, settings_of(self._watcher))
        # It has not waited: `Popen` returns when it executes, so it is remembered by itself.
        return int(process.pid), lambda: None

    def take_over(self, held: HeldProcess, settings: Settings) -> None:
        """Stand for the one that an earlier circusd has started by these settings."""
        process = self._made(spawn=False)
        pipes = reopened(held, self._watcher.streams, self._watcher.warn)
        process._worker = AdoptedWorker(held.pid, *pipes)
        process.started = process._worker.create_time()
        process.pipe_stdout, process.pipe_stderr = (pipe is not None for pipe in pipes)
        self._begin(process, settings)

    def _begin(self, process: Process, settings: Settings) -> None:
        self._process, self._settings = process, settings
        if self._watcher.stream_redirector:
            self._watcher.stream_redirector.start()
            self._watcher.stream_redirector.add_redirections(process)

    def remembered(self) -> dict[str, Any]:
        """What the next circusd needs of it, {} while there is none."""
        kept: dict[str, Any] = self._watcher.in_force.remembered(self._settings)
        return kept if self._process else {}

    def _made(self, **keywords: Any) -> Process:
        watcher = self._watcher
        return InheritingProcess(
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
            watcher=watcher,
            pipe_stdout=watcher.stdout_stream is not None,
            pipe_stderr=watcher.stderr_stream is not None,
            close_child_stdin=watcher.close_child_stdin,
            close_child_stdout=watcher.close_child_stdout,
            close_child_stderr=watcher.close_child_stderr,
            **keywords,
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

    def take(self, pid: int) -> tuple[Process, Settings] | None:
        """Give it away with what it was started by, if it has this pid: it takes the place."""
        if self._process is None or self._process.pid != pid:
            return None
        process = self._drop()
        return (process, self._settings) if process else None

    def _drop(self) -> Process | None:
        process, self._process = self._process, None
        if process and self._watcher.stream_redirector:
            self._watcher.drain()
            with contextlib.suppress(Exception):
                self._watcher.stream_redirector.remove_redirections(process)
        return process
