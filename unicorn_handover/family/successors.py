"""The other masters of a program that is being ended: held, for they soon can be proven no more."""

from __future__ import annotations

import signal

from ..kernel.process import Process
from ..kernel.system import System
from ..servers import handlers_installed
from . import members


def tell_to_end(system: System, master: Process, number: int) -> None:
    """Send a new master the signal that ends its program, or SIGKILL where that could be lost.

    A starting ruby can lose a signal (measured: 23 of 260 TERMs sent to starting unicorns had no
    effect). A master without its handlers has no workers and no requests, so this cuts nothing.
    """
    if not handlers_installed(system, master.pid):
        number = signal.SIGKILL
    master.signal(signal.Signals(number))


class Heirs:
    """Those of one program, held until each has taken over or ended.

    A master that was told to quit has closed its listeners, which are a part of its proof.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._held: list[Process] = []

    def gather(self, pid: int) -> list[Process]:
        """Hold all masters below the master `pid`, besides those that are held and living."""
        living = {heir.pid: heir for heir in self._held if heir.alive()}
        for heir in self._held:
            if heir.pid not in living:
                heir.close()
        for master in members.descended_masters(self._system, pid):
            if master.pid in living:
                master.close()
            else:
                living[master.pid] = master
        self._held = list(living.values())
        return self._held

    def release(self) -> None:
        """Give the descriptors back."""
        for heir in self._held:
            heir.close()
        self._held = []

    def take(self) -> Process | None:
        """Return a living one, for the caller to close; the rest stay held, and come after it."""
        while self._held:
            heir = self._held.pop(0)
            if heir.alive():
                return heir
            heir.close()
        return None
