"""The parent of one program's master, which stays while masters come and go."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from logging import INFO

from unicorn_handover.host.master import Master
from unicorn_handover.host.respawn import Respawn
from unicorn_handover.host.stop import Stop
from unicorn_handover.host.survival import Survivor
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.reap import how_ended, reaped
from unicorn_handover.kernel.spawn import CannotRun

from .side import ForegroundSide
from .starts import Starts

UNKNOWN = 1 << 8  # the wait status of a master whose own was not to be had


class Runner:
    """Runs the program of a host side, by the words of a command, until it ends.

    With `respawn` it is started again whenever it ends by itself. master: the one that runs, None
    while none does.
    """

    def __init__(self, side: ForegroundSide, words: Sequence[str], respawn: bool) -> None:
        self.stop = Stop(side.program, side.loop)
        self.master: Master | None = None
        self._side = side
        self._program = side.program
        self._starts = Starts(side.program, words, self.adopt_if_dead)
        self._respawns = respawn
        self._respawn = Respawn(side, self.start_again)
        self._last = 0  # the wait status of the last master
        self._is_stopped = False  # the master that was signalled to quit has ended
        self._is_over = False
        self._leaves = False  # what runs, to the next runner

    def run(self) -> int:
        """Run the program to its end and return its wait status. Raises CannotRun."""
        survivor = self._program.survival.find()
        if survivor and survivor.master:
            self._take_over(survivor, survivor.master.pid)
        else:
            self._start()
        self._side.driver.start()
        while not self._is_over:
            self._side.loop.turn()
        if self._leaves:
            return 0
        self._program.orphans.kill()
        return self._last

    def _take_over(self, survivor: Survivor, pid: int) -> None:
        """Go on with the master that an earlier runner has left, as it is."""
        self._starts.restore(survivor)
        self.master = self._program.hold(pid, self._exited, survivor.group)
        self._program.survival.resume(survivor)
        if survivor.note.ending:
            self._program.log(INFO, "it was being stopped, which goes on")
            self.end(signal.SIGTERM)
        elif survivor.note.left:
            self._side.request(self._program)
        self._program.survival.left = False
        self._program.survival.note()

    def _start(self) -> None:
        self._respawn.started()
        pid, gate = self._starts.start()
        self.master = self._program.hold(pid, self._exited, group=pid)
        self._program.log(INFO, f"started with pid {pid}")
        gate.open()  # it is remembered by now

    def start_again(self) -> None:
        """Start the program, or try again later; a runner that ends would leave it to nobody."""
        if self._is_over:
            return
        try:
            self._start()
        except CannotRun as error:
            self._respawn.later(f"{self._program.name}: {error}")

    def end(self, signum: int) -> None:
        """End the program, and this runner with it, by a step for each signal that asks for it.

        A stop counts more than a leave that was asked for just before, in the same turn.
        """
        self._side.ends()
        self._leaves = False
        if self.master:
            self.stop.asked(signum, self.master)
        self._is_over = self.master is None

    def leave(self) -> None:
        """End without the program, for another runner to take it over and hand it over."""
        if self._is_over:
            return
        why = self._program.survival.ask_to_leave() if self.master else ""
        if why:
            line = f"it is not left to another runner: {why}; HUP is a handover"
            self._program.log(INFO, line)
            return
        self._program.log(INFO, "it is left to the next runner")
        self._leaves = self._is_over = True

    def adopt_if_dead(self) -> None:
        """Reap the dead, as PID 1 strangers too; if the master is one, adopt its successor."""
        for pid, status in reaped():
            if self.master and pid == self.master.pid:
                self._ended(self.master, status)
            elif pid == self._program.beside.pid:
                self._program.beside.ended()
        if self.master and not self.master.is_child:
            self.master.settle()

    def _exited(self) -> None:
        if self.master and not self.master.is_child:
            self._ended(self.master, self.master.status)
        else:
            self.adopt_if_dead()

    def _ended(self, master: Master, status: int | None) -> None:
        # Once the program's own master was signalled to quit, the end of a new one does not matter.
        if not self._is_stopped:
            self._last = UNKNOWN if status is None else status
        self._is_stopped = self.stop.has_begun
        successor = self._program.died(master)
        if successor:
            self._adopt(master, successor, how_ended(status))
        else:
            self._lose(master.pid, f"pid {master.pid} ended {how_ended(status)}")

    def _adopt(self, master: Master, successor: Process, how: str) -> None:
        old = master.pid
        master.replace(successor)
        self._starts.adopted(master)
        what = f"adopted: '{self._program.name}' with pid {master.pid}"
        self._side.log(INFO, f"{what}, successor of pid {old} ({how})")
        self._program.adopted(master)
        if self.stop.has_begun:
            self.stop.extend_to(master, successor)

    def _lose(self, pid: int, how: str) -> None:
        self.master = None
        # Where a handover signalled it to quit, a caller has asked for a running program.
        again = self._respawns or self._program.handovers.was_told_to_quit(pid)
        self._is_over = self.stop.has_begun or not again
        if self._is_over:
            self._side.ends()
            self._program.held.let_go()
            self._program.log(INFO, how)
        self._program.lost()
        if not self._is_over:
            self._respawn.later(f"{self._program.name}: {how}")
