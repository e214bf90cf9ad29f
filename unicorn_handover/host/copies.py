"""The sockets that a master serves on, copied for the master that the host starts next."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import printable
from ..family.served import close_all, copy_served
from ..kernel.gate import Gate
from ..kernel.gated import start_gated
from ..kernel.listeners import Listener
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Addresses, Server

FIRST_SOCKET = 3  # the descriptor that the first of the copies has in the next master


@dataclass(frozen=True)
class Command:
    """A command as the host is about to run it.

    directory: where it is run, absolute. environ: its environment, as far as the section sets it.
    """

    words: Sequence[str]
    directory: str
    environ: Mapping[str, str] = field(default_factory=dict)


class Copies:
    """The copies, and the variable that names them to the next master.

    numbers: those of all its listeners, if that is known. Raises Refused if another master cannot
    serve on them. paths: of the unix sockets, absolute. owner: the pid of that master.
    """

    def __init__(
        self, system: System, master: Process, server: Server, numbers: Collection[int] = ()
    ) -> None:
        self.server = server
        self.sockets: list[Listener] = copy_served(system, master, server, numbers)
        here = system.working_directory(master.pid)  # a unix socket's path may be relative
        self.paths = tuple(os.path.join(here, each.path) for each in self.sockets if each.path)
        self._system = system
        self.owner = master.pid

    @property
    def names(self) -> list[str]:
        """Their addresses, as servers spell them."""
        tcp = [each.name for each in self.sockets if not each.path]
        return [*tcp, *(f"unix:{path}" for path in self.paths)]

    @property
    def numbers(self) -> list[int]:
        """The copies' own descriptors."""
        return [each.socket.fileno() for each in self.sockets]

    def variables(self, numbers: Sequence[int]) -> dict[str, str]:
        """The variables that name these descriptors to the next master."""
        return self.server.handed(numbers, self.owner)

    def new_addresses(self, command: Command) -> list[str]:
        """The addresses that a command names, if its master would serve on these in their place."""
        named = self._addresses(command).fixed
        return named if named and set(named) != set(self.names) else []

    def origin(self, command: Command) -> object:
        """What the addresses come of: equal while the next master will listen as this one does.

        That is what the command and its configuration say of them, and the files that are the unix
        sockets' names.
        """
        return self._addresses(command).said, [self._system.file_id(path) for path in self.paths]

    def _addresses(self, command: Command) -> Addresses:
        words = command.words, command.directory, command.environ
        return self.server.addresses(self._system, *words)

    @property
    def are_current(self) -> bool:
        """True if their owner still has every one of these sockets, under the same number."""
        inodes = {each.inode: each.number for each in self.sockets}
        return all(
            self._system.inode_of(self.owner, number) == inode for inode, number in inodes.items()
        )

    def are_in(self, master: Process) -> bool:
        """True if a process has any of these sockets, as whatever number."""
        return not self._system.sockets(master.pid).isdisjoint(each.inode for each in self.sockets)

    def described(self) -> str:
        """Their addresses, for a log line."""
        return printable(", ".join(self.names))

    def close(self) -> None:
        """Close the copies. May be called twice."""
        close_all(self.sockets)


def start(command: Command, given: Copies | None) -> tuple[int, Gate]:
    """Start a command, on sockets if any are given. Raises CannotRun.

    Return its pid, and the gate that it waits at until it is remembered.
    """
    sockets = dict(enumerate(given.numbers if given else [], FIRST_SOCKET))
    variables = given.variables(list(sockets)) if given else {}
    return start_gated(command.words, sockets, {**command.environ, **variables}, command.directory)
