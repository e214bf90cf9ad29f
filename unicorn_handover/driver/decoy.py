"""Ends a server that would unlink its unix sockets, by means of a re-exec that is stopped."""

from __future__ import annotations

from signal import SIGKILL, SIGSTOP

from ..family.members import proven
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import RE_EXEC, Server

PATIENCE = 1.5  # seconds; a gunicorn that has just lost its old master ignores USR2 for up to 1
AGAIN = 0.5  # seconds until USR2 is sent once more
FORK_PAUSE = 0.001  # seconds between polls: a re-exec takes a few milliseconds from fork to exec
PAUSE = 0.01  # seconds between polls once the decoy stands
POLLS = 500  # at once, some 20 ms: a child that is stopped before its exec is the cheapest


class Decoy:
    """A child of a re-exec, stopped at once, and killed when its master has closed its sockets.

    gunicorn unlinks no socket while it has such a child (Arbiter.stop): that one would be serving
    on it. The master gets the graceful signal when the decoy stands, or does not come. `survivor`
    serves on the same sockets: once it shares none with the master, that one has closed its own.

    Whatever else the master forks from now on is stopped too. Which child is the re-exec's does not
    show at once, and a master that is about to end needs none of them.
    """

    def __init__(self, system: System, master: Process, server: Server, survivor: Process) -> None:
        self._system = system
        self._master = master
        self._server = server
        self._survivor = survivor
        # The decoy of a driver before this one is stopped already, and serves as well.
        self._before = {pid for pid in system.children(master.pid) if not self._is_stopped(pid)}
        self._stopped: dict[int, Process] = {}
        self._until = system.clock() + PATIENCE
        self._asked = -AGAIN
        self._signalled = False
        self.over = False  # once the master has closed its sockets
        self.step()

    @property
    def pause(self) -> float:
        """Seconds until `step` is to be called again."""
        return PAUSE if self._signalled else FORK_PAUSE

    def step(self) -> None:
        """Stop what the master forks, then signal it to quit, and at last kill what was stopped."""
        self._stop_new()
        now = self._system.clock()
        self.over = not self._shares_sockets()
        if self._stopped or self.over or now >= self._until:
            self._end_master()
        elif now >= self._asked + AGAIN:
            self._asked = now
            self._master.signal(RE_EXEC)
            self._watch_closely()
        if self.over:
            self.close()

    def _watch_closely(self) -> None:
        for _ in range(POLLS):
            self._stop_new()
            if self._stopped:
                return

    def _stop_new(self) -> None:
        known = self._before | self._stopped.keys()
        fresh = (pid for pid in self._system.children(self._master.pid) if pid not in known)
        for held in proven(self._system, fresh, self._is_child):
            held.signal(SIGSTOP)
            self._stopped[held.pid] = held

    def _is_child(self, process: Process) -> bool:
        stat = self._system.stat(process.pid)
        return stat is not None and stat.ppid == self._master.pid

    def close(self) -> None:
        """Kill the decoy. May be called twice."""
        for process in self._stopped.values():
            process.signal(SIGKILL)
            process.close()
        self._stopped.clear()

    def _end_master(self) -> None:
        if not self._signalled:
            self._signalled = True
            self._master.signal(self._server.graceful)

    def _is_stopped(self, pid: int) -> bool:
        stat = self._system.stat(pid)
        return stat is not None and stat.state == "T"

    def _shares_sockets(self) -> bool:
        sockets = self._system.sockets
        return not sockets(self._master.pid).isdisjoint(sockets(self._survivor.pid))
