"""The other masters of a program: held by pidfd while they can still be identified."""

from __future__ import annotations

import signal

from ..kernel.process import Process
from ..kernel.system import System
from ..servers import handlers_installed, has_ready_worker
from . import members
from .killing import kill_with_workers


def end_master(system: System, master: Process, signum: int) -> None:
    """Send a new master the signal that ends its program, or kill it where nobody serves yet.

    It holds the sockets, so connections wait for it as long as it lives, and no worker will answer
    them. A unicorn acts on no signal while it loads a preloaded application, and no master passes
    one on to a worker that loads it (Worker#soft_kill is read in the accept loop). A starting ruby
    can lose a signal (measured: 23 of 260 TERMs sent to starting unicorns had no effect).

    The master is also resumed: a driver stops a new master for a while (`FirstWorker`, `Silence`),
    and if the driver was killed meanwhile, the signal would wait for ever.
    """
    try:
        serves = has_ready_worker(system, master.pid)
    except PermissionError:  # not ours to look into; the signal must be sent all the same
        serves = handlers_installed(system, master.pid)
    if serves:
        master.signal(signal.Signals(signum))
        master.signal(signal.SIGCONT)
    else:
        kill_with_workers(system, master)


class Successors:
    """The new masters below one master, held until each has taken over or ended.

    A master that got its graceful signal has closed its listeners, which are a part of its proof.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._held: list[Process] = []

    def gather(self, pid: int) -> list[Process]:
        """Hold all masters below the master `pid`, besides those that are held and living."""
        living = {successor.pid: successor for successor in self._held if successor.alive()}
        for successor in self._held:
            if successor.pid not in living:
                successor.close()
        for master in members.descended_masters(self._system, pid):
            if master.pid in living:
                master.close()
            else:
                living[master.pid] = master
        self._held = list(living.values())
        return self._held

    def release(self) -> None:
        """Give the descriptors back."""
        for successor in self._held:
            successor.close()
        self._held = []

    def take(self) -> Process | None:
        """Return a living one, for the caller to close; the rest stay held, and come after it."""
        while self._held:
            successor = self._held.pop(0)
            if successor.alive():
                return successor
            successor.close()
        return None
