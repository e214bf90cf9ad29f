"""The parent of one program's master, which stays while masters come and go."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from logging import INFO, WARNING
from typing import Any

from unicorn_handover.errors import Refused
from unicorn_handover.host.copies import Command, start
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.host.master import Master
from unicorn_handover.host.respawn import Respawn
from unicorn_handover.host.stop import Stop
from unicorn_handover.kernel.files import logical_directory
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.reap import how_ended, reaped
from unicorn_handover.kernel.spawn import CannotRun
from unicorn_handover.servers import Launch

from .side import ForegroundSide

HANDOVER = (signal.SIGHUP, signal.SIGUSR2)
STOP = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
PASSED_ON = (signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH)


class Runner:
    """Runs the program of a host side, by the words of a command, until it ends.

    With `respawn` it is started again whenever it ends by itself.
    """

    def __init__(self, side: ForegroundSide, words: Sequence[str], respawn: bool) -> None:
        here = logical_directory(), os.getcwd()
        self.launch = self.next_launch = Launch("run", "directory", tuple(words), *here)
        self.stop = Stop(side.program, side.loop)
        self._side = side
        self._program = side.program
        self._program.supervised = self
        self._program.beside.starter = self
        self._respawns = respawn
        self._respawn = Respawn(side, self._start_again)
        self._master: Master | None = None
        self._beside = 0  # the pid of a new master that is to take the place of the running one
        self._last = 0  # the wait status of the last master
        self._is_stopped = False  # the master that was signalled to quit has ended
        self._is_over = False

    def run(self) -> int:
        """Run the program to its end and return its wait status. Raises CannotRun."""
        heard = [*HANDOVER, *STOP, *PASSED_ON, signal.SIGCHLD]
        self._side.loop.on_signals(heard, self._signalled)
        self._start()
        self._side.driver.start()
        while not self._is_over:
            self._side.loop.turn()
        self._program.orphans.kill()
        return self._last

    def _start(self) -> None:
        self._respawn.started()
        self._program.spawning()
        pid = start(self.command(), self._program.held.give())
        self._master = self._program.hold(pid, self.adopt_if_dead, group=pid)
        self._log(INFO, f"started with pid {pid}")
        self._side.remember()

    def _start_again(self) -> None:
        try:
            self._start()
        except CannotRun as error:
            self._respawn.later(f"{self._program.name}: {error}")

    def _signalled(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            self.adopt_if_dead()
        elif signum in HANDOVER:
            self._hand_over()
        elif signum in PASSED_ON:
            self._pass_on(signal.Signals(signum))
        elif self._master:
            self.stop.asked(signum, self._master)
        else:
            self._is_over = True

    def _hand_over(self) -> None:
        if self.stop.has_begun:
            self._log(WARNING, "no handover: it is being stopped")
        elif self._master is None:  # it crashed, and its next start is not due yet
            self._start_again()
        else:
            self._side.request(self._program)

    def _pass_on(self, signum: signal.Signals) -> None:
        if self._master and self._master.process and self._program.serves():
            masks = self._side.system.signal_masks(self._master.pid)
            if masks and masks.catches(signum):
                self._master.process.signal(signum)
            else:
                self._log(WARNING, f"{signum.name} is not passed on: its server has no use for it")
        else:  # without its handler most of these kill or stop it
            self._log(WARNING, f"{signum.name} is not passed on while it starts")

    def adopt_if_dead(self) -> None:
        """Reap the dead, as PID 1 strangers too; if the master is one, adopt its successor."""
        for pid, status in reaped():
            if self._master and pid == self._master.pid:
                self._ended(self._master, status)
            elif pid == self._beside:
                self._beside = 0
                self._program.beside.ended()

    reap_beside = adopt_if_dead

    def _ended(self, master: Master, status: int) -> None:
        # Once the program's own master was signalled to quit, the end of a new one does not matter.
        if not self._is_stopped:
            self._last = status
        self._is_stopped = self.stop.has_begun
        successor = self._program.died(master)
        if successor:
            self._adopt(master, successor, status)
        else:
            self._lose(master.pid, f"pid {master.pid} ended {how_ended(status)}")

    def _adopt(self, master: Master, successor: Process, status: int) -> None:
        old = master.pid
        master.replace(successor, group=self._take_over(successor.pid))
        what = f"adopted: '{self._program.name}' with pid {master.pid}"
        self._side.log(INFO, f"{what}, successor of pid {old} ({how_ended(status)})")
        self._side.remember()
        self._program.adopted(master)
        if self.stop.has_begun:
            self.stop.extend_to(master, successor)

    def _take_over(self, pid: int) -> int:
        """Return the process group of a successor, if it has one of its own, or 0."""
        if pid != self._beside:
            return 0
        self._beside = 0
        started_in = self._side.system.real_path(self.launch.directory)
        self.launch = self.next_launch = replace(self.launch, started_in=started_in)
        return pid

    def _lose(self, pid: int, how: str) -> None:
        self._master = None
        # Where a handover signalled it to quit, a caller has asked for a running program.
        again = self._respawns or self._program.handovers.was_told_to_quit(pid)
        self._program.lost()
        self._side.remember()
        if again and not self.stop.has_begun:
            self._respawn.later(f"{self._program.name}: {how}")
            return
        self._is_over = True
        self._program.held.let_go()
        self._log(INFO, how)

    def difference(self) -> str:
        """Nothing: what a runner was given as its command stays so."""
        return ""

    def command(self) -> Command:
        """How the program would be started now."""
        directory = self.launch.directory
        environ = {**os.environ, "PWD": directory}
        return Command(self.launch.command, directory, environ, self._program.options.pidfile)

    command_in_force = command

    def start_beside(self, inheritance: Inheritance) -> int:
        """Start a new master on sockets that are there already. Raises Refused."""
        self._program.spawning()
        try:
            self._beside = start(self.command(), inheritance)
        except CannotRun as why:
            raise Refused(str(why)) from None
        return self._beside

    def remembered(self) -> dict[str, Any]:
        """Nothing yet."""
        return {}

    def stop_setting(self) -> tuple[str, int]:
        """Return nothing: the program is ended by its server's own signals."""
        return "", 0

    def _log(self, level: int, text: str) -> None:
        self._side.log(level, f"{self._program.name}: {text}")
