"""What a runner gives a master at its start, to be compared by the runner that takes it over."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from unicorn_handover.host.copies import Command
from unicorn_handover.kernel.spawn import limits
from unicorn_handover.kernel.system import System
from unicorn_handover.servers import Launch

# A shell's notes of its own steps, and what systemd gives each start anew.
PASSING = {"_", "OLDPWD", "PWD", "SHLVL", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID"}
PASSING |= {"MANAGERPID", "NOTIFY_SOCKET", "SYSTEMD_EXEC_PID"}


@dataclass(frozen=True)
class Start:
    """How a master is, or was, started.

    directory: by the name that leads there, such as a link to a release. started_in: the real path
    that it had then. environment: a digest, for it may hold secrets and this is kept in a file.
    """

    command: tuple[str, ...]
    directory: str
    environment: str
    limits: str
    started_in: str

    @classmethod
    def now(cls, system: System, command: Sequence[str], directory: str) -> Start:
        """How this process would start one."""
        start = cls(tuple(command), directory, _environment(), limits(), directory)
        return start.again(system)

    def again(self, system: System) -> Start:
        """It, at this moment: the directory's name may lead elsewhere by now."""
        return replace(self, started_in=system.real_path(self.directory))

    @classmethod
    def from_json(cls, fields: Any) -> Start:
        """Read what `vars` gave. Raises KeyError or TypeError if it is nothing of the kind."""
        command = tuple(map(str, fields["command"]))
        names = ("directory", "environment", "limits", "started_in")
        return cls(command, *(str(fields[name]) for name in names))

    def launch(self, started_in: str) -> Launch:
        """It, as the driver is to know it, with where the running master was started."""
        return Launch("run", "directory", self.command, self.directory, started_in)

    def run(self) -> Command:
        """It, as the runner executes it."""
        return Command(self.command, self.directory, {**os.environ, "PWD": self.directory})

    def difference(self, before: Start) -> str:
        """What is not as it was before, for a log line; "" if all is."""
        names = ("command", "directory", "environment", "limits")
        changed = [name for name in names if getattr(self, name) != getattr(before, name)]
        return f"the runner's {', '.join(changed)} changed" if changed else ""


def _environment() -> str:
    lines = sorted(f"{name}={os.environ[name]}" for name in set(os.environ) - PASSING)
    return hashlib.sha256("\0".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
