"""A watcher whose program outlives its circusd, and is taken over by the next one."""

from __future__ import annotations

from typing import Any, NamedTuple

from circus import logger

from unicorn_handover.host.guard import contained
from unicorn_handover.host.survival import Survivor

from . import circusd_restart
from .adopting import AdoptingWatcher
from .circusd import set_stopped, start_as_running
from .coroutines import Steps, coroutine
from .in_force import InForce
from .settings import Settings, settings_of


class Own(NamedTuple):
    """What circusd itself has remembered of a survivor; `started_by` is {} if that is unknown."""

    started_by: Settings
    started_in: str


class SurvivingWatcher(AdoptingWatcher):
    """A watcher whose master may be of another circusd's start.

    current: the process that was started, adopted or taken over last.
    """

    in_force: InForce
    current: Any = None
    _survivor: Survivor | None = None  # until Circus starts this watcher
    _stays_stopped = False  # at the next start of all watchers

    def remembered(self) -> dict[str, Any]:
        """What the next circusd needs to take the running program over."""
        process = self.current
        if process is None:
            return {}
        return {
            **self.in_force.remembered(process.started_by),
            "started_in": process.started_in,
            "beside": self.beside.remembered(),
        }

    @property
    def streams(self) -> tuple[bool, bool]:
        """Whether the program's standard output has a stream, and its standard error."""
        return self.stdout_stream is not None, self.stderr_stream is not None

    @contained()
    def find_survivor(self) -> None:
        """See what an earlier circusd has left of this watcher's program.

        Circus starts the watcher as one of which a process is running already: without the hooks
        `before_start` and `before_spawn`.
        """
        if self.processes:
            return
        survivor = self.program.survival.find()
        starts_soon = self.autostart and not self.circusd.is_running
        if survivor and survivor.master:
            self._survivor = survivor
            start_as_running(self)
            if not starts_soon:
                self.circusd.soon(self._start)
        else:
            self._stays_stopped = starts_soon and self.program.survival.stays_stopped

    @property
    def found_pid(self) -> int:
        """The pid of a survivor that Circus has not started as this watcher's yet, else 0."""
        survivor = self._survivor
        return survivor.master.pid if survivor and survivor.master else 0

    def take_survivor(self) -> Survivor | None:
        """Return the survivor, once."""
        survivor, self._survivor = self._survivor, None
        return survivor

    def own_part(self, survivor: Survivor) -> Own:
        """Let the settings be in force by which a survivor was started, and return them."""
        own = survivor.note.own
        own = own.get("beside", {}) if survivor.was_beside else own
        started_in = own.get("started_in", "") if isinstance(own, dict) else ""
        return Own(self._keep_in_force(own) or {}, str(started_in))

    @contained()
    def _keep_in_force(self, own: dict[str, Any]) -> Settings:
        settings = self.in_force.keep(own)
        if self.in_force.has_newer:
            logger.info(
                f"{self.name}: its settings were changed since its master was started; a restart "
                "or `reloadconfig` hands it over"
            )
        return settings

    @contained()
    def _resume(self, survivor: Survivor) -> None:
        """Go on with the handover, or the stop, that was under way."""
        if self.program.master != survivor.master:
            return  # it has died meanwhile
        self.program.survival.resume(survivor)
        self._take_beside_over(survivor.note.own.get("beside"))
        if survivor.note.ending:
            logger.info(f"{self.name}: it was being stopped, which goes on")
            self.circusd.soon(self._go_on_ending, survivor.note.ending)

    @contained()
    def _take_beside_over(self, own: Any) -> None:
        held = self.program.beside.process
        if held:
            self.beside.take_over(held, self.in_force.read(own) if own else settings_of(self))

    @coroutine
    def _go_on_ending(self, ending: str) -> Steps:
        """End it; start it again if it was ended with its circusd, and not by command."""
        yield self._stop(True)
        if ending == "shutdown":
            yield self._start()

    @coroutine
    def _start(self) -> Steps:
        """Do as Circus does, but leave a program alone that was stopped when circusd was killed."""
        stays, self._stays_stopped = self._stays_stopped, False
        if stays and self.circusd.starts_watchers:
            logger.info(
                f"{self.name}: it was stopped by command before circusd was killed, and is not "
                f"started; `circusctl start {self.name}`"
            )
            return
        survivor = self._survivor
        if self.is_stopped() and survivor is None:
            self.in_force.renew_for_good()
        yield super()._start()
        if survivor:
            self._resume(survivor)

    @property
    def is_to_stay(self) -> bool:
        """True if circusd is about to end without this program."""
        ending = self.circusd.is_ending and not self.circusd.restarts_itself
        return ending and self.program.survival.left and self.master is not None

    @contained()
    def end_for_good(self) -> None:
        """End, or leave, what was to keep running for another arbiter that does not come."""
        if self.runs_on and self.program.survival.left:
            self.leave()
        else:
            circusd_restart.end_for_good(self)

    def leave(self) -> None:
        """Let Circus see no running process here; the master runs on, and is remembered."""
        self.program.survival.leave()  # while its master is held
        process = circusd_restart.leave(self)
        logger.info(f"{self.name}: pid {process.pid} is left running, for the next circusd")
        self.program.release()
        set_stopped(self)
