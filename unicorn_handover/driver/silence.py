"""Ends a server that would unlink its unix sockets and cannot re-exec, by ending its workers."""

from __future__ import annotations

from signal import SIGCONT, SIGKILL, SIGSTOP

from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Server

PAUSE = 0.05  # seconds between polls of workers that finish their requests


class Silence:
    """Stops a master, signals its workers to quit gracefully, and kills it when they have.

    It has what a `Decoy` has. The master does nothing more, so it unlinks nothing; its own hooks
    for the end of workers and of itself do not run, which is why this is the second choice.
    """

    pause = PAUSE

    def __init__(self, system: System, master: Process, server: Server) -> None:
        self._system = system
        self._master = master
        self._signalled: set[tuple[int, int]] = set()
        self._server = server
        self.over = False  # once the master was killed
        master.signal(SIGSTOP)
        self.step()

    def step(self) -> None:
        """Signal each worker once; kill the master when no worker is left."""
        found = members.workers(self._system, self._master, self._server).all
        for worker in found - self._signalled:
            self._end_worker(worker)
        if not found and not self.over:
            self.over = True
            self._master.signal(SIGKILL)

    def close(self) -> None:
        """Resume a living master: its program is being stopped, or another driver follows."""
        self._master.signal(SIGCONT)

    def _end_worker(self, worker: tuple[int, int]) -> None:
        held = self._system.hold(*worker)
        if held:
            self._signalled.add(worker)
            held.signal(self._server.graceful)
            held.close()
