"""What the signals to a runner mean."""

from __future__ import annotations

import os
import signal
from logging import WARNING

from .host import Runner
from .side import ForegroundSide

HANDOVER = (signal.SIGHUP, signal.SIGUSR2)
STOP = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
PASSED_ON = (signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH)


class Signals:
    """Hears them all, from `hear` on."""

    def __init__(self, side: ForegroundSide, runner: Runner) -> None:
        self._side = side
        self._runner = runner

    def hear(self) -> None:
        """Begin."""
        heard = [*HANDOVER, *STOP, *PASSED_ON, signal.SIGALRM, signal.SIGCHLD]
        self._side.loop.on_signals(heard, self._heard)

    def _heard(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            self._runner.adopt_if_dead()
        elif signum in STOP:
            self._runner.end(signum)
        elif signum in PASSED_ON:
            self._pass_on(signal.Signals(signum))
        elif self._runner.stop.has_begun:
            self._warn("no handover: it is being stopped")
        elif signum in HANDOVER:
            self._hand_over()
        elif os.getpid() == 1:
            self._warn("no other runner can follow PID 1; HUP is a handover")
        else:
            self._runner.leave()

    def _hand_over(self) -> None:
        if self._runner.master:
            self._side.request(self._side.program)
        else:  # it crashed, and its next start is not due yet
            self._runner.start_again()

    def _pass_on(self, signum: signal.Signals) -> None:
        master = self._runner.master
        if master and master.process and self._side.program.serves():
            masks = self._side.system.signal_masks(master.pid)
            if masks and masks.catches(signum):
                master.process.signal(signum)
            else:
                self._warn(f"{signum.name} is not passed on: its server has no use for it")
        else:  # without its handler most of these kill or stop it
            self._warn(f"{signum.name} is not passed on while it starts")

    def _warn(self, text: str) -> None:
        self._side.log(WARNING, f"{self._side.program.name}: {text}")
