"""A master that the host supervises, on the host's loop, and all that is ended with it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence

from ..family import members
from ..family.sharers import Sharers
from ..family.successors import Successors, end_master
from ..kernel.process import Process
from ..kernel.system import System
from ..model.record import MasterId
from ..servers import SERVERS
from .guard import contained
from .loop import Loop


class Master:
    """The master of the moment of one family: its successor takes its place in the same object.

    `exited` is called once, on the loop or by `look`, when it has exited. pid: its number, also
    once it is dead. group: the process group, which every later master of the family is in.
    successors: those that are held to be ended with it. sharers: what else has its sockets, held
    for its end.
    """

    def __init__(
        self,
        system: System,
        loop: Loop,
        failed: Callable[[str], None],
        pid: int,
        group: int,
        exited: Callable[[], None],
    ) -> None:
        self.failed = failed
        self.pid = pid
        self.group = group
        self.successors = Successors(system)
        self.sharers = Sharers(system)
        self._system = system
        self._loop = loop
        self._exited = exited
        self.process: Process | None = None
        self._watch(system.hold(pid))

    @property
    def is_alive(self) -> bool:
        """True until it has exited, or is not held any more."""
        return self.process is not None and self.process.alive()

    @property
    def id(self) -> MasterId | None:
        """Its pid and start time while it lives, else None."""
        process = self.process
        return MasterId(process.pid, process.start) if process and process.alive() else None

    def replace(self, successor: Process, group: int = 0) -> None:
        """Put a held successor in the place of this master, which is dead.

        It is in the same process group, unless it has a `group` of its own.
        """
        self.release()
        self.pid = successor.pid
        self.group = group or self.group
        self._watch(successor)

    def look(self) -> None:
        """Call `exited`, once, if the master has exited."""
        if self.process and not self.process.alive():
            self.release()  # a pidfd stays readable, and would keep the loop busy
            self._exited()

    def release(self) -> None:
        """Close the pidfd."""
        process, self.process = self.process, None
        if process:
            self._loop.unwatch(process.fileno())
            process.close()

    @contained()
    def successor(self) -> tuple[str, MasterId] | None:
        """The server and the new master that this living one has re-executed, or None."""
        if self.process is None:
            return None
        for server in SERVERS.values():
            new = members.successor(self._system, self.process, server)
            if new:
                new.close()
                return server.name, MasterId(new.pid, new.start)
        return None

    @contained(())
    def others(self) -> Sequence[Process]:
        """All masters below this one, held until each has taken over or ended."""
        return self.successors.gather(self.pid)

    @contained()
    def end(self, masters: Iterable[Process], signum: int) -> None:
        """Send masters of this family the signal that ends their program."""
        for master in masters:
            end_master(self._system, master, signum)

    @contained()
    def signal(self, processes: Iterable[Process], signum: int) -> None:
        """Send a signal to each of some held processes."""
        for process in processes:
            process.signal(signal.Signals(signum))

    @contained()
    def signal_group(self, signum: int) -> None:
        """Signal the family's process group, while the unreaped master proves its number."""
        if members.is_of_group(self._system.stat(self.pid), self.group):
            self._system.signal_group(self.group, signal.Signals(signum))

    def close(self) -> None:
        """Close all descriptors."""
        self.release()
        self.successors.release()
        self.sharers.release()

    def _watch(self, process: Process | None) -> None:
        self.process = process
        if process:
            self._loop.watch(process.fileno(), self.look)
        else:  # it was dead before it could be held
            self._loop.after(0, self._exited)
