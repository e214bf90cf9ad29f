"""Keeps a new master that cannot boot from ending by itself, where it would unlink its sockets."""

from __future__ import annotations

from signal import SIGCONT, SIGKILL, SIGSTOP

from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Server

FIRST_PAUSE = 0.002  # seconds between searches for a worker: one that fails lives for some 20 ms
PAUSE = 0.01  # seconds between polls of it


class FirstWorker:
    """Stops a new master from its first worker on, until one is ready, or one has died.

    A gunicorn whose worker cannot load the app ends at once (Arbiter.reap_workers, HaltServer), and
    takes its sockets' names along, on which the old master serves. One that is stopped does not,
    and is killed. The app that one worker has loaded the others load as well.
    """

    def __init__(self, system: System, master: Process, server: Server) -> None:
        self._system = system
        self._master = master
        self._server = server
        self._workers: dict[int, Process] = {}
        self.over = False

    @property
    def pause(self) -> float:
        """Seconds until `step` is to be called again."""
        return PAUSE if self._workers else FIRST_PAUSE

    def step(self) -> None:
        """Observe its workers, and stop or release the master."""
        if self.over:
            return
        found = members.workers(self._system, self._master, self._server)
        for pid, start in found.all:
            self._mind(pid, start)
        if any(not worker.alive() for worker in self._workers.values()):
            self._fail()
        elif found.ready:
            self.close()

    def close(self) -> None:
        """Resume the master. May be called twice."""
        stat = self._system.stat(self._master.pid)
        # It stops a moment after the signal, which an earlier driver may have sent.
        if self._workers or (stat and stat.state == "T"):
            self._master.signal(SIGCONT)
        self._end()

    def _mind(self, pid: int, start: int) -> None:
        if pid in self._workers:
            return
        held = self._system.hold(pid, start)
        if held:
            if not self._workers:
                self._master.signal(SIGSTOP)
            self._workers[pid] = held

    def _fail(self) -> None:
        self._master.signal(SIGKILL)
        for worker in self._workers.values():
            worker.signal(SIGKILL)
        self._end()

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
        self.over = True
