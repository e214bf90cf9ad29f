"""The parent of one program's master, which stays while masters come and go."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from logging import INFO, WARNING

from unicorn_handover.errors import Refused
from unicorn_handover.host.copies import Command, Copies
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.host.loop import Call
from unicorn_handover.host.master import Master
from unicorn_handover.host.stop import Stop
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.spawn import Backoff, CannotRun, spawn
from unicorn_handover.servers import Launch

from .side import ForegroundSide

HANDOVER = (signal.SIGHUP, signal.SIGUSR2)
STOP = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
FIRST_SOCKET = 3  # the descriptor that the first of given sockets has in the master
PASSED_ON = (signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH)
TOGETHER = 2.0  # seconds: a terminal sends INT to runner and foreman, and foreman then sends TERM


class Runner:
    """Runs the program of a host side, by the words of a command, until it ends.

    With `respawn` it is started again whenever it ends by itself.
    """

    def __init__(self, side: ForegroundSide, words: Sequence[str], respawn: bool) -> None:
        self.launch = Launch("run", "directory", tuple(words), _logical_directory(), os.getcwd())
        self.stop = Stop(side.program, side.loop)
        self._side = side
        self._program = side.program
        self._program.supervised = self
        self._program.beside.starter = self
        self._respawn = respawn
        self._backoff = Backoff()
        self._master: Master | None = None
        self._started = 0.0
        self._cancel_start: Call = lambda: None
        self._beside = 0  # the pid of a new master that is to take the place of the running one
        self._last = 0  # the wait status of the last master
        self._asked = 0, 0.0  # to end: the signal, and until when another one is part of it
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
        self._program.spawning()
        pid = _spawn(self.command(), self._program.held.give())
        self._started = self._side.system.clock()
        self._master = self._program.hold(pid, self.adopt_if_dead, group=pid)
        self._log(INFO, f"started with pid {pid}")
        self._side.remember()

    def _signalled(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            self.adopt_if_dead()
        elif signum in STOP:
            self._end(signum)
        elif signum in HANDOVER:
            self._hand_over()
        else:
            self._pass_on(signal.Signals(signum))

    def _end(self, signum: int) -> None:
        now, (first, until) = self._side.system.clock(), self._asked
        if signum != first and now < until:
            return
        self._asked = signum, now + TOGETHER
        if self._master:
            self.stop.step(self._master)
        self._is_over = self._master is None

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
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if self._master and pid == self._master.pid:
                    self._ended(self._master, status)
                elif pid == self._beside:
                    self._beside = 0
                    self._program.beside.ended()

    def _ended(self, master: Master, status: int) -> None:
        pid = master.pid
        # Once the program's own master was signalled to quit, the end of a new one does not matter.
        if not self._is_stopped:
            self._last = status
        self._is_stopped = self.stop.has_begun
        successor = self._program.died(master)
        if successor:
            self._adopt(master, successor, status)
            return
        self._master = None
        # Where a handover signalled it to quit, a caller has asked for a running program.
        again = self._respawn or self._program.handovers.was_told_to_quit(pid)
        self._program.lost()
        self._side.remember()
        self._is_over = self.stop.has_begun or not again
        if self._is_over:
            self._program.held.let_go()
            self._log(INFO, f"pid {pid} ended {_how(status)}")
        else:
            self._start_later(f"pid {pid} ended {_how(status)}")

    def _adopt(self, master: Master, successor: Process, status: int) -> None:
        old = master.pid
        master.replace(successor, group=self._take_over(successor.pid))
        what = f"adopted: '{self._program.name}' with pid {master.pid}"
        self._side.log(INFO, f"{what}, successor of pid {old} ({_how(status)})")
        self._side.remember()
        self._program.adopted(master)
        if self.stop.has_begun:
            self.stop.extend_to(master, successor)

    def _take_over(self, pid: int) -> int:
        """Return the process group of a successor, if it has one of its own, or 0."""
        if pid != self._beside:
            return 0
        self._beside = 0
        self.launch = replace(
            self.launch, started_in=self._side.system.real_path(self.launch.directory)
        )
        return pid

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
            self._beside = _spawn(self.command(), inheritance)
        except CannotRun as why:
            raise Refused(str(why)) from None
        return self._beside

    def reap_beside(self) -> None:
        """Reap the dead, among them a new master that has not taken the place of the old one."""
        self.adopt_if_dead()

    def _start_later(self, why: str) -> None:
        pause = self._backoff.after(self._side.system.clock() - self._started)
        self._log(WARNING, f"{why}; it is started again in {pause:g} s")
        self._cancel_start = self._side.loop.after(pause, self._start_again)

    def _start_again(self) -> None:
        self._cancel_start()
        try:
            self._start()
        except CannotRun as error:
            self._started = self._side.system.clock()
            self._start_later(str(error))

    def _log(self, level: int, text: str) -> None:
        self._side.log(level, f"{self._program.name}: {text}")

    def stop_setting(self) -> tuple[str, int]:
        """Return nothing: the program is ended by its server's own signals."""
        return "", 0


def _spawn(command: Command, given: Copies | None) -> int:
    """Run a command, on sockets that are there already if any are given."""
    sockets = dict(enumerate(given.numbers if given else [], FIRST_SOCKET))
    variables = given.variables(list(sockets)) if given else {}
    return spawn(command.words, sockets, {**command.environ, **variables}, command.directory)


def _logical_directory() -> str:
    """The working directory by the name that a shell came to it, such as a link to a release."""
    here, named = os.getcwd(), os.environ.get("PWD", "")
    return named if os.path.isabs(named) and os.path.realpath(named) == here else here


def _how(status: int) -> str:
    """How a process ended, in words."""
    if not os.WIFSIGNALED(status):
        return f"with exit status {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    return f"by {signal.Signals(number).name if number in set(signal.Signals) else number}"
