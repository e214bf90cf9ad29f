"""A master that the host supervises, on the host's loop, and all that is ended with it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence

from ..family import members
from ..family.sharers import Sharers
from ..family.successors import Successors, end_master
from ..kernel.process import Process, Reaped
from ..kernel.system import System
from ..model.record import MasterId
from ..servers import SERVERS
from .guard import contained
from .loop import Loop
from .timer import Timer

REAPING = 0.2  # seconds that another process has to reap a master that was its child


class Master:
    """The master of the moment of one family: its successor takes its place in the same object.

    `exited` is called once, on the loop or by `look`, when it has exited. pid: its number, also
    once it is dead. group: the process group, which every master that it re-executes is in.
    is_child: whether this process is to reap it; another one's is reaped before `exited` is called,
    or was not within REAPING, and has its `status`, as waitpid(2) tells it, None if that is
    unknown. successors: those that are held to be ended with it. sharers: what else has its
    sockets, held for its end.
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
        self.status: int | None = None
        self.is_child = True
        self._reaped: Reaped | None = None
        self._patience = Timer(loop)
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

    def replace(self, successor: Process) -> None:
        """Put a held successor in the place of this master, which is dead."""
        self.release()
        self.pid = successor.pid
        self._watch(successor)

    def look(self) -> None:
        """Call `exited`, once, if the master has exited."""
        if self.process is None or self.process.alive():
            return
        if self.is_child:
            self.settle()
        elif self._reaped is None:
            self._await_reaping(self.process)

    def settle(self) -> None:
        """Call `exited` now, if the master has exited and that was not reported yet."""
        if self.process and not self.process.alive():
            self.status = None if self.is_child else self.process.wait_status()
            self.release()  # a pidfd stays readable, and would keep the loop busy
            self._exited()

    def _await_reaping(self, process: Process) -> None:
        """Wait for its parent: a zombie counts as a master that runs, for both servers."""
        self._loop.unwatch(process.fileno())
        self._reaped = process.reaped()
        self._loop.watch(self._reaped.fileno(), self.settle)
        self._patience.start(REAPING, self.settle)

    def release(self) -> None:
        """Close the descriptors by which its end is seen."""
        reaped, self._reaped = self._reaped, None
        if reaped:
            self._patience.stop()
            self._loop.unwatch(reaped.fileno())
            reaped.close()
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

    def end(self, masters: Iterable[Process], signum: int) -> None:
        """Send masters of this family the signal that ends their program."""
        for master in masters:
            self._end(master, signum)

    @contained()
    def _end(self, master: Process, signum: int) -> None:
        end_master(self._system, master, signum)

    def signal(self, processes: Iterable[Process], signum: int) -> None:
        """Send a signal to each of some held processes, also where one may not be signalled."""
        for process in processes:
            self._signal(process, signum)

    @contained()
    def _signal(self, process: Process, signum: int) -> None:
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
        self.is_child = self._system.is_own_child(self.pid)  # also if it has ended just now
        if process:
            self._loop.watch(process.fileno(), self.look)
        else:  # it was dead before it could be held
            self._loop.after(0, self._exited)
