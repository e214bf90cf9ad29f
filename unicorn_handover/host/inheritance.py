"""What a new master that the host starts inherits from the old one, which still runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NotYet, Refused, printable
from ..kernel.pid_file import PidFile
from ..kernel.process import Process
from ..kernel.system import System
from ..model.record import Record
from ..servers import SERVERS, Server
from .copies import Command, Copies
from .pid_files import MovedPidFiles

PATIENCE = 3.0  # seconds; a gunicorn that was re-executed is settled after 1


def inherit(
    system: System, record: Record, command: Command, pid_files: Sequence[str]
) -> Inheritance:
    """What the new master of a handover inherits. Raises Refused and NotYet."""
    old = system.hold(*record.old)
    if old is None:
        raise Refused("the old master ended before a new one was started")
    try:
        patient = system.clock() < record.since + PATIENCE
        server, paths = SERVERS[record.server], [*pid_files, record.pid_file or ""]
        return Inheritance(system, old, server, command, patient, paths, record.listening)
    finally:
        old.close()


class Inheritance(Copies):
    """The old master's sockets, copied, and its pid file, out of the way of the new one's.

    Made before the new master is started: what speaks against it is Refused, and nothing is
    changed. `close` when it has been started: `moved` is what remains. `pid_files`: those that
    no configuration of the server names. `numbers`: see `Copies`.

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
        pid_files: Sequence[str] = (),
        numbers: Sequence[int] = (),
    ) -> None:
        super().__init__(system, old, server, numbers)
        self.moved = MovedPidFiles(server, old.pid)
        try:
            self._refuse_new_addresses(command)
            found = dict.fromkeys([*self._pid_paths(command), *pid_files])
            paths = list(filter(None, found))
            if patient and self._is_provisional(paths):
                raise NotYet(f"pid {old.pid} has not given its pid file its last name")
            for path in paths:
                self.moved.move(path)
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Undo everything: the new master was not started."""
        self.close()
        self.moved.put_back()

    def _is_provisional(self, paths: list[str]) -> bool:
        suffix = self.server.provisional
        return bool(suffix) and any(PidFile(path + suffix).names(self.owner) for path in paths)

    def _pid_paths(self, command: Command) -> list[str]:
        """Where the old master's pid file may be, and the new one's.

        Those that do not hold the old master's pid are left alone.
        """
        system, server = self._system, self.server
        words, here = system.command_line(self.owner), system.working_directory(self.owner)
        return [
            *server.pid_files(system, command.words, command.directory, command.environ),
            *server.pid_files(system, words, here, system.environ(self.owner)),
        ]

    def _refuse_new_addresses(self, command: Command) -> None:
        named = self.new_addresses(command)
        if named:
            raise Refused(
                f"{self.server.name} keeps its addresses in a handover: pid {self.owner} serves "
                f"on {self.described()}, but {printable(', '.join(named))} is configured; "
                "stop and start the program"
            )
