"""The host side of one program, whose log is standard error."""

from __future__ import annotations

from collections.abc import Callable, Collection

from unicorn_handover.errors import PREFIX
from unicorn_handover.host.driver_process import DriverProcess
from unicorn_handover.host.guard import contained
from unicorn_handover.host.selector_loop import SelectorLoop
from unicorn_handover.host.side import HostSide
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options
from unicorn_handover.model.record import Record

from .log import Log

TICK = 1.0  # seconds between polls of a driver that may not answer, while a handover runs
UPKEEP = 30.0  # seconds between polls of what the runner itself needs


class ForegroundSide(HostSide):
    """Knows one program and its driver. watch: called at every change of a handover."""

    daemon = "unicorn-handover"
    loop: SelectorLoop

    def __init__(self, name: str, options: Options) -> None:
        system = System()
        loop = SelectorLoop(system.clock, self.failed)
        self._log = Log(loop)
        super().__init__(system, loop)
        self.program = self.manage(name, options)
        self.driver = DriverProcess(self)
        self.watch: Callable[[], None] = lambda: None
        self._ticks = False

    @contained()
    def changed(self, record: Record, entered: bool) -> None:
        """Log a phase that was entered, keep the driver informed, and answer who waits."""
        super().changed(record, entered)
        self.watch()
        if not self._ticks:
            self._tick()

    def _tick(self) -> None:
        self._ticks = self.program.handovers.running is not None
        if self._ticks:
            self.tick()
            self.watch()
            self.loop.after(TICK, self._tick)

    def rest(self) -> None:
        """See to what this runner itself needs, from now on: nothing else polls one at rest."""
        self.upkeep()
        self.loop.after(UPKEEP, self.rest)

    def known_pids(self) -> Collection[int]:
        """The pids of the master, of one that is started beside it, and of the driver."""
        master = self.program.master
        return {master.pid if master else 0, self.program.beside.pid, self.driver.pid}

    def log(self, level: int, text: str) -> None:
        """Write a line to standard error."""
        self._log.write(f"{PREFIX}{text}")

    def why_no_driver(self) -> str:
        """Why there is no driver, or none that answers, and what to do."""
        if self.presence.is_there:
            return f"the driver, pid {self.driver.pid}, does not answer; kill it"
        return "the driver does not come up; see the log"
