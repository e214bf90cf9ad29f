"""The host side inside supervisord: which programs are managed, and what is to be done with them.

It runs in supervisord's own loop, so nothing here blocks, polls or raises into it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from typing import Any

from supervisor import events
from supervisor.datatypes import RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.options import make_namespec, split_namespec
from supervisor.process import EventListenerPool, ProcessGroupBase, Subprocess
from supervisor.states import ProcessStates
from supervisor.supervisord import Supervisor

from unicorn_handover.errors import ConfigError
from unicorn_handover.host.logs import Output
from unicorn_handover.host.side import HostSide
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options, Settings, parse
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import Launch

from .conffiles import ConfFiles
from .events import DriverEvent, HandoverEvent
from .guard import guarded, guarded_callback
from .process import DriverSubprocess, ManagedSubprocess
from .startup import complaints, copies, joined, unknown
from .unmanaged import second_driver, why_unmanaged

SECTION = "rpcinterface:unicorn"

_hosts: list[Host] = []  # at most one, of the newest supervisord: a reload makes another


def host_for(supervisord: Supervisor, config: dict[str, str]) -> Host:
    """Return the host side of this supervisord, made at the first call.

    Supervisor calls the plugin's factory once for each of its HTTP servers.
    """
    if not any(host.serves(supervisord) for host in _hosts):
        options = supervisord.options
        files = guarded(options.logger, ConfFiles, options.configfile)
        config = guarded(options.logger, joined, config, files) or config
        _hosts[:] = [Host(supervisord, parse(SECTION, config), System())]
        _hosts[0].take_over()
        listed = _hosts[0].settings.programs
        for line in guarded(options.logger, complaints, options, files, listed) or []:
            _hosts[0].complain(line)
    return _hosts[0]


class Host(HostSide):
    """Knows the managed programs and the driver of one supervisord."""

    def __init__(self, supervisord: Supervisor, settings: Settings, system: System) -> None:
        super().__init__(system)
        self.settings = settings
        self.log = supervisord.options.logger
        self.programs: dict[str, ManagedSubprocess] = {}
        self._supervisord = supervisord
        self._drivers: list[DriverSubprocess] = []
        self._driver: DriverSubprocess | None = None
        self._unfit = ""  # why nothing can be managed

    def serves(self, supervisord: Supervisor) -> bool:
        """True if this is that supervisord's host side."""
        return self._supervisord is supervisord

    # -- which programs --------------------------------------------------------------------------

    def take_over(self) -> None:
        """Specialise the programs and the driver, now and whenever a group is added."""
        unfit = self.system.unfit()
        if unfit:
            self._unfit = f"[{SECTION}] no restart can be a handover: {unfit}"
            self.complain(self._unfit)
            return
        for group in self._supervisord.process_groups.values():
            self._specialise(group)
        self._subscribe(events.ProcessGroupAddedEvent, self._group_added)
        self._subscribe(events.ProcessGroupRemovedEvent, self._group_removed)
        self._subscribe(events.ProcessStateRunningEvent, self._running)
        self._subscribe(events.Tick5Event, self._tick)
        self._subscribe(events.SupervisorRunningEvent, self._supervisor_running)
        for error in [*self.settings.errors, *self._unknown_programs()]:
            self.complain(str(error))
        if not self._drivers:
            self.complain(
                "[eventlistener:unicorn_handover] is missing, so no restart can be a handover; "
                "`supervisor_unicorn --echo-conf NAME ...` prints it"
            )

    def _subscribe(self, kind: type[events.Event], callback: Callable[..., None]) -> None:
        events.subscribe(kind, guarded_callback(self.log, callback))

    def _specialise(self, group: ProcessGroupBase) -> None:
        """Put our own kinds of subprocess in the place of those that have not been started yet."""
        is_driver = isinstance(group, EventListenerPool) and DriverEvent in group.config.pool_events
        for name, process in list(group.processes.items()):
            if type(process) is not Subprocess or process.pid:
                continue
            options = self._options_for(group, process)
            mine: Subprocess
            if is_driver:
                mine = DriverSubprocess(process.config, self)
                self._drivers.append(mine)
            elif options and not isinstance(group, EventListenerPool):
                mine = ManagedSubprocess(process.config, self, options)
            else:
                continue
            mine.group = group
            group.processes[name] = mine
            if isinstance(mine, ManagedSubprocess):
                self.programs[mine.namespec] = mine
        for process in group.processes.values():
            reason = self.why_unmanaged(process)
            if reason:
                self.complain(reason)
        managed = [p.config for p in group.processes.values() if isinstance(p, ManagedSubprocess)]
        for line in copies(group.config.name, managed):
            self.log.warn(line)

    def _options_for(self, group: ProcessGroupBase, process: Subprocess) -> Options | None:
        for name in self._names_of(group, process):
            if name in self.settings.programs:
                return self.settings.programs[name]
        return None

    def _names_of(self, group: ProcessGroupBase, process: Subprocess) -> list[str]:
        """The names that a managed program may be listed by, the most exact one first."""
        namespec = make_namespec(group.config.name, process.config.name)
        return [namespec, process.config.name, group.config.name]

    def refusal(self, process: ManagedSubprocess) -> ConfigError | None:
        """Return the bad setting that keeps this program from being handed over, or None."""
        for name in self._names_of(process.group, process):
            if name in self.settings.refusals:
                return self.settings.refusals[name]
        return None

    def named(self, name: str) -> Subprocess | None:
        """The process of that name, managed or not, or None."""
        group, process = split_namespec(name)
        found = self._supervisord.process_groups.get(group)
        return found.processes.get(process) if found else None

    def why_unmanaged(self, process: Subprocess) -> str:
        """What keeps a program that the section lists from being managed, or ""."""
        if isinstance(process, ManagedSubprocess):
            return ""
        if self._options_for(process.group, process) is None:
            return ""
        return self._unfit or why_unmanaged(process, self.is_driver(process))

    def _unknown_programs(self) -> list[ConfigError]:
        known: set[str] = set()
        for group in self._supervisord.process_groups.values():
            for process in group.processes.values():
                known.update(self._names_of(group, process))
        return [unknown(SECTION, name) for name in self.settings.programs if name not in known]

    def _group_added(self, event: events.ProcessGroupAddedEvent) -> None:
        group = self._supervisord.process_groups.get(event.group)
        if group:
            self._specialise(group)

    def _group_removed(self, event: events.ProcessGroupRemovedEvent) -> None:
        self._drivers = [d for d in self._drivers if d.group.config.name != event.group]
        for name, process in list(self.programs.items()):
            if process.group.config.name == event.group:
                process.release()
                del self.programs[name]
                self.ledger.forget(name)

    def complain(self, text: str) -> None:
        """Tell the operator, who at start looks at the terminal, and later at the log."""
        self.log.critical(text)
        print(f"supervisor_unicorn: {text}", file=sys.stderr, flush=True)

    # -- what supervisord tells ------------------------------------------------------------------

    def _supervisor_running(self, event: events.SupervisorRunningEvent) -> None:
        from . import web  # needs this module

        web.install(self._supervisord, self)

    def _running(self, event: events.ProcessStateRunningEvent) -> None:
        process = event.process
        if isinstance(process, ManagedSubprocess):
            self.started(process.namespec)

    def _tick(self, event: events.Tick5Event) -> None:
        self.tick()

    def become_subreaper(self) -> None:
        """Make supervisord the parent of the masters that re-executed masters leave behind."""
        try:
            self.system.become_subreaper()
        except OSError as error:
            self.log.critical(
                f"supervisord cannot become a subreaper ({error}), so it will lose the master at "
                "a restart; run it where prctl is allowed"
            )

    def wall_clock(self) -> float:
        """Seconds since the epoch, as Supervisor keeps its times."""
        return time.time()

    # -- what the host side asks -----------------------------------------------------------------

    def master(self, program: str) -> MasterId | None:
        """The program's living master, or None."""
        process = self.programs.get(program)
        return process.master if process else None

    def options(self, program: str) -> Options | None:
        """The program's options, None if it is not managed."""
        process = self.programs.get(program)
        return process.handover_options if process else None

    def launch(self, program: str) -> Launch:
        """How supervisord would start the program now."""
        return self.programs[program].launch

    def stop_signal(self, program: str) -> tuple[str, int]:
        """The setting of the stop signal and its number."""
        config = self.programs[program].config
        return f"[program:{config.name}] stopsignal", config.stopsignal

    def known_pids(self) -> Collection[int]:
        """The pids of all that supervisord has started or adopted and not yet reaped."""
        pids: dict[int, Any] = self._supervisord.options.pidhistory
        return pids

    def settle(self, program: str) -> None:
        """Reap the dead now, among them the old master."""
        self._supervisord.reap()

    def output(self, program: str) -> Output:
        """What comes out of the program's pipes."""
        return self.programs[program].output

    def tell(self, text: str, warning: bool) -> None:
        """Write a line to supervisord's log."""
        (self.log.warn if warning else self.log.info)(text)

    def publish(self, record: Record) -> None:
        """Notify the event listeners."""
        events.notify(HandoverEvent(record))

    # -- the driver ------------------------------------------------------------------------------

    def driver_said(self, driver: DriverSubprocess, message: dict[str, Any]) -> None:
        """Take a message from the driver: that it is there, or a record."""
        if "record" in message:
            self.take(message["record"])
        elif self._driver is not None and self._driver is not driver:
            self.log.warn(second_driver(driver, self._driver))
        elif driver.channel:
            self._driver = driver
            self.driver_came(driver.channel)
            self.driver_greeted(message.get("driver"))

    def driver_ended(self, driver: DriverSubprocess) -> None:
        """Take note that a driver ended."""
        if driver is self._driver:
            self._driver = None
            self.driver_went()

    def absence(self) -> str:
        """Why there is no driver, and what to do."""
        if not self._drivers:
            return (
                "there is no [eventlistener:unicorn_handover]; `supervisor_unicorn --echo-conf` "
                "prints it"
            )
        driver = self._drivers[0]
        name = make_namespec(driver.group.config.name, driver.config.name)
        if self.ledger.driver_is_there:
            return f"the driver {name} does not answer; `supervisorctl restart {name}`"
        return f"the driver {name} is not running; look at its log and `supervisorctl start {name}`"

    def is_driver(self, process: Subprocess) -> bool:
        """True for the event listener that drives the handovers."""
        # Not `in`: Supervisor compares subprocesses by their priorities.
        return any(process is driver for driver in self._drivers)

    @property
    def driver_will_come(self) -> bool:
        """True if a driver is there, or Supervisor is about to start one."""
        coming = (ProcessStates.STARTING, ProcessStates.RUNNING, ProcessStates.BACKOFF)
        return any(self._comes(driver, coming) for driver in self._drivers)

    def _comes(self, driver: DriverSubprocess, coming: tuple[int, ...]) -> bool:
        config = driver.config
        again = config.autorestart is RestartUnconditionally or (
            config.autorestart is RestartWhenExitUnexpected
            and driver.exitstatus not in config.exitcodes
        )
        return driver.state in coming or (driver.state == ProcessStates.EXITED and again)
