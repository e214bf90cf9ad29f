"""How a host that has no stop of its own ends a program: gracefully, quickly, by force."""

from __future__ import annotations

import signal

from ..kernel.process import Process
from .loop import Loop
from .master import Master
from .program import Program
from .timer import Timer

FORCING = 5.0  # seconds that the quick signal is given
TOGETHER = 2.0  # seconds: a terminal sends INT to runner and foreman, and foreman then sends TERM
AGAIN = 1.0  # seconds until a starting master gets the next one: a starting ruby may lose it


class Stop:
    """The end of one program. Each step follows when it is asked for or the last had its time."""

    def __init__(self, program: Program, loop: Loop) -> None:
        self._program = program
        self._next_step = Timer(loop)
        self._steps = 0
        self._signum = signal.SIGTERM
        self._asked = 0, 0.0  # by which signal, and until when another one is a part of that

    @property
    def has_begun(self) -> bool:
        """True once the program is being ended."""
        return self._steps > 0

    def asked(self, signum: int, master: Master) -> None:
        """Take a step for a signal that the host was sent, unless it is a part of the last one."""
        now, (first, until) = self._program.system.clock(), self._asked
        if signum == first or now >= until:
            self._asked = signum, now + TOGETHER
            self.step(master)

    def step(self, master: Master) -> None:
        """Begin the stop, or take its next step."""
        self._next_step.stop()
        self._steps += 1
        self._program.survival.stopping()
        self._signum, seconds = self._next()
        # Held before the signal: afterwards nothing proves them.
        others = self._program.other_masters(master, ending=True)
        # A master that ends gracefully takes no other signal meanwhile; its workers do.
        # (unicorn: HttpServer#stop, gunicorn: Arbiter.stop)
        workers = self._program.workers(master) if self._steps > 1 else ()
        # The driver lets go first, so that it starts no new master behind the signal.
        self._program.handovers.cancel("the program was stopped")
        self._program.held.let_go()
        master.signal([master.process] if master.process else [], self._signum)
        master.end(others, self._signum)
        master.signal(workers, self._signum)
        for worker in workers:
            worker.close()
        self._next_step.start(seconds, lambda: self.step(master))

    def _next(self) -> tuple[signal.Signals, float]:
        """The signal of this step and the seconds until the next one.

        A master that accepts no signals yet has no requests to finish.
        """
        server = self._program.server()
        if self._steps > 2:
            return signal.SIGKILL, FORCING
        if server and not self._program.serves():
            return signal.SIGTERM, AGAIN
        if self._steps == 1:
            graceful = server.graceful if server else signal.SIGTERM
            return graceful, self._program.options.drain_timeout
        return server.quick if server else signal.SIGTERM, FORCING

    def extend_to(self, master: Master, successor: Process) -> None:
        """End the successor of a master that was being ended."""
        master.end([successor], self._signum)
