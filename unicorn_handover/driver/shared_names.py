"""Unix sockets on which two masters serve, of a server that unlinks its sockets at its end."""

from __future__ import annotations

from ..errors import complain
from ..kernel.process import Process
from ..kernel.socket_name import SocketNames
from ..kernel.system import System
from ..model.record import Record
from ..servers import Launch, Server
from .decoy import Decoy
from .first_worker import FirstWorker
from .preflight import Preflight
from .silence import Silence


class SharedNames:
    """Keeps the names for the surviving master, whichever master ends first.

    For as long as both live the names have a second link. A master that is signalled to quit is
    kept from unlinking, and so is a new one that cannot boot.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._names: SocketNames | None = None
        self._ending: Decoy | Silence | None = None  # of the master that is signalled to quit
        self._first: FirstWorker | None = None  # of the new master

    @property
    def descriptor(self) -> int:
        """What can be read once a name may be gone, -1 if there is none."""
        return self._names.fileno() if self._names else -1

    @property
    def pause(self) -> float | None:
        """Seconds until `mind` is to be called again, None if nothing waits for that."""
        for minded in (self._ending, self._first):
            if minded and not minded.over:
                return minded.pause
        return None

    def mind(self, record: Record, server: Server | None) -> None:
        """Keep the names, and watch a master that is ending."""
        if self._names is None and at_stake(record, server):
            self._names = self._system.keep_names(record.sockets)
            for line in self._names.lost:
                complain(f"{record.program}: {line}")
        if self._names:
            self._names.restore()
        if self._ending and not self._ending.over:
            self._ending.step()

    def mind_first_worker(self, new: Process | None, record: Record, server: Server | None) -> None:
        """Keep a new master that cannot boot from ending by itself."""
        if new and server and at_stake(record, server):
            self._first = self._first or FirstWorker(self._system, new, server)
            self._first.step()

    def let_new_go_on(self) -> None:
        """Stop controlling the new master; from now on only `end` may stop it."""
        if self._first:
            self._first.close()
            self._first = None

    def end(self, master: Process, survivor: Process, server: Server, launch: Launch) -> None:
        """Send a master its graceful signal, and keep the names for the living `survivor`."""
        if Preflight(self._system, master, server, launch).can_re_exec():
            self._ending = Decoy(self._system, master, server, survivor)
        else:
            self._ending = Silence(self._system, master, server)

    def release(self, over: bool) -> None:
        """Keep the names no longer; if that is not `over`, another driver will."""
        self.let_new_go_on()
        if self._ending:
            self._ending.close()
            self._ending = None
        if self._names:
            self._names.release(unlink=over)


def at_stake(record: Record, server: Server | None) -> bool:
    """True if whichever master ends first would unlink the sockets that both serve on."""
    return server is not None and server.unlinks_sockets and bool(record.sockets)
