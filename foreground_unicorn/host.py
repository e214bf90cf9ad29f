"""The parent of one program's master, which stays while masters come and go."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from logging import INFO
from typing import Any

from unicorn_handover.host.copies import Command, start
from unicorn_handover.host.master import Master
from unicorn_handover.host.respawn import Respawn
from unicorn_handover.host.stop import Stop
from unicorn_handover.host.survival import Survivor
from unicorn_handover.kernel.files import logical_directory
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.reap import how_ended, reaped
from unicorn_handover.kernel.spawn import CannotRun
from unicorn_handover.servers import Launch

from .beside import NextMaster
from .side import ForegroundSide
from .signals import Signals
from .start import Start

UNKNOWN = 1 << 8  # the wait status of a master whose own was not to be had


class Runner:
    """Runs the program of a host side, by the words of a command, until it ends.

    With `respawn` it is started again whenever it ends by itself. master: the one that runs, None
    while none does. now: how this runner would start one. given, beside: how the running one was
    started, and the one beside it, maybe by an earlier runner.
    """

    def __init__(self, side: ForegroundSide, words: Sequence[str], respawn: bool) -> None:
        self.stop = Stop(side.program, side.loop)
        self.master: Master | None = None
        self.now = self.given = self.beside = Start.now(side.system, words, logical_directory())
        self._side = side
        self._program = side.program
        self._program.supervised = self
        self._program.beside.starter = NextMaster(side.program, self, self.adopt_if_dead)
        self._respawns = respawn
        self._respawn = Respawn(side, self.start_again)
        self._leaves = False  # the master, to a runner that is to hand it over
        self._last = 0  # the wait status of the last master
        self._is_stopped = False  # the master that was signalled to quit has ended
        self._is_over = False

    def run(self) -> int:
        """Run the program to its end and return its wait status. Raises CannotRun."""
        Signals(self._side, self).hear()
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
        own = survivor.note.own
        with contextlib.suppress(KeyError, TypeError):
            self.beside = Start.from_json(own["beside"])
            self.given = self.beside if survivor.was_beside else Start.from_json(own["given"])
        self._leaves = bool(own.get("leaves"))
        self.master = self._program.hold(pid, self._exited, survivor.group)
        self.master.is_child = self._side.system.is_own_child(pid)  # also if it has died just now
        self._program.survival.resume(survivor)
        if survivor.note.ending:
            self._log("it was being stopped, which goes on")
            self.end(signal.SIGTERM)
        elif self._leaves:
            self._side.request(self._program)
        self._leaves = False
        self._program.survival.note()

    def _start(self) -> None:
        self._respawn.started()
        pid, gate = start(self.command_in_force(), self._program.begins())
        self.given = self.given.again(self._side.system)
        self.master = self._program.hold(pid, self._exited, group=pid)
        self._log(f"started with pid {pid}")
        gate.open()  # it is remembered by now

    def start_again(self) -> None:
        """Start the program, or try again later."""
        try:
            self._start()
        except CannotRun as error:
            self._respawn.later(f"{self._program.name}: {error}")

    def end(self, signum: int) -> None:
        """End the program, and this runner with it, by a step for each signal that asks for it."""
        self._side.ends()
        if self.master:
            self.stop.asked(signum, self.master)
        self._is_over = self.master is None

    def leave(self) -> None:
        """End without the program, for another runner to take it over and hand it over."""
        why = self._program.survival.ask_to_leave() if self.master else ""
        if why:
            self._log(f"it is not left to another runner: {why}; HUP is a handover")
            return
        self._log("it is left to the next runner")
        self._leaves = self._is_over = True
        self._program.survival.leave()

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
        if master.group == master.pid:  # a runner has started it, in a group of its own
            self.given = self.beside
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
            self._log(how)
        self._program.lost()
        if not self._is_over:
            self._respawn.later(f"{self._program.name}: {how}")

    @property
    def launch(self) -> Launch:
        """How the running master was started."""
        return self.given.launch(self.given.started_in)

    def command_in_force(self) -> Command:
        """How the program would be started after a crash: as the running master was."""
        return self.given.run(self._program.options.pidfile)

    def remembered(self) -> dict[str, Any]:
        """How the running master was started, and the one beside it."""
        given, beside = self.given.to_json(), self.beside.to_json()
        return {"given": given, "beside": beside, "leaves": self._leaves}

    def stop_setting(self) -> tuple[str, int]:
        """Return nothing: the program is ended by its server's own signals."""
        return "", 0

    def _log(self, text: str) -> None:
        self._side.log(INFO, f"{self._program.name}: {text}")
