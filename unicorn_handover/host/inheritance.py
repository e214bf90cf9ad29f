"""What a new master that the host starts takes over from the old one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import Refused, printable
from ..family.served import close_all, copy_served
from ..kernel.listeners import Listener
from ..kernel.pid_file import PidFile
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Server


@dataclass(frozen=True)
class Command:
    """A command as the host is about to run it.

    directory: where it is run, absolute. environ: its environment, as far as the section sets it.
    pidfile: the `pidfile` option, "" if it is not set.
    """

    words: Sequence[str]
    directory: str
    environ: Mapping[str, str] = field(default_factory=dict)
    pidfile: str = ""


class Inheritance:
    """The old master's sockets, copied, and its pid file, out of the way of the new one's.

    Made before the new master is started: what speaks against it is Refused, and nothing is
    changed. `close` when it has been started, then `forget` or `give_back`.
    """

    def __init__(self, system: System, old: Process, server: Server, command: Command) -> None:
        self._old = old.pid
        self._server = server
        self._pid_files: list[PidFile] = []
        self.sockets: list[Listener] = copy_served(system, old, server)
        here = system.working_directory(old.pid)  # a unix socket's path may be relative
        self.paths = tuple(os.path.join(here, each.path) for each in self.sockets if each.path)
        try:
            self._refuse_new_addresses(system, command)
            for path in self._pid_paths(system, command):
                self._move_aside(PidFile(path))
        except BaseException:
            self.give_back()
            raise

    def variables(self, numbers: Sequence[int]) -> dict[str, str]:
        """What tells the new master that it has the sockets as these descriptors."""
        return self._server.handed(numbers, self._old)

    def close(self) -> None:
        """Close the copies."""
        close_all(self.sockets)

    def give_back(self) -> None:
        """The new master has ended, or was not started: leave everything as it was."""
        self.close()
        for file in self._pid_files:
            file.put_back(self._old)

    def forget(self) -> None:
        """The old master has ended."""
        self.close()
        for file in self._pid_files:
            file.forget(self._old)

    def _move_aside(self, file: PidFile) -> None:
        if file.move_aside(self._old):
            self._pid_files.append(file)

    def _pid_paths(self, system: System, command: Command) -> list[str]:
        """Where the old master's pid file may be, and the new one's.

        Those that do not hold the old master's pid are left alone.
        """
        words, here = system.command_line(self._old), system.working_directory(self._old)
        found = [
            command.pidfile,
            *self._server.pid_files(system, command.words, command.directory, command.environ),
            *self._server.pid_files(system, words, here, system.environ(self._old)),
        ]
        return [path for path in dict.fromkeys(found) if path]

    def _refuse_new_addresses(self, system: System, command: Command) -> None:
        named = self._server.addresses(system, command.words, command.directory, command.environ)
        tcp = [listener.name for listener in self.sockets if not listener.path]
        served = [*tcp, *(f"unix:{path}" for path in self.paths)]
        if named and set(named) != set(served):
            raise Refused(
                f"{self._server.name} keeps its addresses in a handover: pid {self._old} serves on "
                f"{printable(', '.join(served))}, but {printable(', '.join(named))} is configured; "
                "stop and start the program"
            )
