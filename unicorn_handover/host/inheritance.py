"""What a new master that the host starts inherits from the old one, which still runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NotYet, Refused, printable
from ..kernel.pid_file import PidFile
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Server
from .copies import Command, Copies


class Inheritance(Copies):
    """The old master's sockets, copied, and its pid file, out of the way of the new one's.

    Made before the new master is started: what speaks against it is Refused, and nothing is
    changed. `close` when it has been started, then `forget` or `give_back`. `taken`: pid files that
    no configuration names. `numbers`: see `Copies`.

    Raises NotYet, if `patient`, while the old master is about to give its pid file its last name:
    it would do so in the place of the new one's, which would then refuse to serve.
    """

    def __init__(
        self,
        system: System,
        old: Process,
        server: Server,
        command: Command,
        patient: bool = False,
        taken: Sequence[str] = (),
        numbers: Sequence[int] = (),
    ) -> None:
        super().__init__(system, old, server, numbers)
        self._pid_files: list[PidFile] = []
        try:
            self._refuse_new_addresses(command)
            paths = list(dict.fromkeys([*self._pid_paths(command), *taken]))
            if patient and self._is_provisional(paths):
                raise NotYet(f"pid {old.pid} has not given its pid file its last name")
            for path in paths:
                self._move_aside(PidFile(path))
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Undo everything: the new master has ended, or was not started."""
        self.close()
        for file in self._pid_files:
            file.put_back(self.owner)

    def forget(self, new: int) -> None:
        """Finish: the old master has ended, and the master `new` has replaced it."""
        self.close()
        for file in self._pid_files:
            file.forget(self.owner)
            if self.server.unlinks_pid_file:
                file.write_if_gone(new)

    def _is_provisional(self, paths: list[str]) -> bool:
        suffix = self.server.provisional
        return bool(suffix) and any(PidFile(path + suffix).names(self.owner) for path in paths)

    def _move_aside(self, file: PidFile) -> None:
        if file.move_aside(self.owner):
            self._pid_files.append(file)

    def _pid_paths(self, command: Command) -> list[str]:
        """Where the old master's pid file may be, and the new one's.

        Those that do not hold the old master's pid are left alone.
        """
        system, server = self._system, self.server
        words, here = system.command_line(self.owner), system.working_directory(self.owner)
        found = [
            command.pidfile,
            *server.pid_files(system, command.words, command.directory, command.environ),
            *server.pid_files(system, words, here, system.environ(self.owner)),
        ]
        return [path for path in dict.fromkeys(found) if path]

    def _refuse_new_addresses(self, command: Command) -> None:
        named = self.new_addresses(command)
        if named:
            raise Refused(
                f"{self.server.name} keeps its addresses in a handover: pid {self.owner} serves "
                f"on {self.described()}, but {printable(', '.join(named))} is configured; "
                "stop and start the program"
            )
