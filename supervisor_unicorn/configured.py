"""The sections of a managed program: the one in force, and the one that its next master gets."""

from __future__ import annotations

import copy
import os
import shlex
from typing import Any

from supervisor.options import ProcessConfig
from supervisor.process import Subprocess

from unicorn_handover.host.copies import Command
from unicorn_handover.host.program import Program
from unicorn_handover.servers import Launch

from .launch import launch_by


class ConfiguredSubprocess(Subprocess):  # type: ignore[misc]
    """A program with a section in force, by which its master was started, and maybe another one.

    next_config: by which the new master of one handover is started, of the one with next_number.
    read_config: what supervisord has read when it took over a master that was started by another
    section, in the place of that; None if there is no such difference.
    """

    config: Any

    def __init__(self, config: ProcessConfig, program: Program) -> None:
        Subprocess.__init__(self, config)
        self.program = program
        self.next_config: Any = None
        self.next_number = 0
        self.read_config: Any = None
        self._started_in = ""

    def difference(self) -> str:
        """That the section was changed, while the next master is to be started by a new one."""
        changed = self.coming_config is not self.config
        return f"[program:{self.config.name}] was changed" if changed else ""

    @property
    def coming_config(self) -> Any:
        """The configuration by which the new master of a handover is started."""
        return self.next_config or self.read_config or self.config

    def bring_into_force(self, config: Any, started_in: str) -> None:
        """Let this be the configuration, which `update` compares with what it has read."""
        self.config, self._started_in = config, started_in
        self.group.config = copy.copy(self.group.config)
        self.group.config.process_configs = [
            self.group.processes[config.name].config for config in self.group.config.process_configs
        ]

    def handover_ended(self, number: int) -> None:
        """Forget a configuration that did not come into force, or has."""
        if number >= self.next_number or self.program.handovers.queued_next != self.next_number:
            self.next_config = None

    def command(self) -> Command:
        """How supervisord would start the new master of a handover now."""
        return self._command_of(self.coming_config)

    def command_in_force(self) -> Command:
        """How it would start this program after a crash."""
        return self._command_of(self.config)

    def _command_of(self, config: Any) -> Command:
        environ = {**os.environ, **(config.environment or {})}
        directory = config.directory or os.getcwd()
        return Command(shlex.split(config.command), directory, environ)

    def _directory_of(self, config: ProcessConfig) -> str:
        """The real path that a configuration's directory has now, "" if it names none."""
        return self.program.system.real_path(config.directory) if config.directory else ""

    @property
    def launch(self) -> Launch:
        """How Supervisor would start this program after a crash."""
        return launch_by(self.config, self._started_in)

    @property
    def next_launch(self) -> Launch:
        """How it would start the new master of a handover."""
        return launch_by(self.coming_config, self._started_in)

    def stop_setting(self) -> tuple[str, int]:
        """The setting of the stop signal and its number."""
        return f"[program:{self.config.name}] stopsignal", self.config.stopsignal
