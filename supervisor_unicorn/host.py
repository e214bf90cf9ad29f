"""The host side inside supervisord: its managed programs, and their logs, events and status.

It runs in supervisord's own loop, so nothing here blocks, polls or raises into it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from logging import WARNING
from typing import Any

from supervisor import events
from supervisor.options import split_namespec
from supervisor.process import EventListenerPool, ProcessGroupBase, Subprocess
from supervisor.supervisord import Supervisor

from unicorn_handover.host.guard import contained
from unicorn_handover.host.side import HostSide
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import parse
from unicorn_handover.model.record import Record

from .conffiles import INTERFACE
from .driver import Drivers
from .events import DriverEvent, HandoverEvent
from .loop import PollLoop
from .process import ManagedSubprocess
from .selection import names_of, options_of, refusal_of, unknown_programs
from .startup import Startup, copies
from .unmanaged import why_unmanaged


class SupervisorSide(HostSide):
    """Knows the managed programs and the drivers of one supervisord.

    processes: those of the managed programs, by the same names.
    """

    daemon = "supervisord"
    loop: PollLoop

    def __init__(self, supervisord: Supervisor, config: dict[str, str], system: System) -> None:
        self.logger = supervisord.options.logger
        super().__init__(system, PollLoop(supervisord.options, system.clock, self.failed))
        self.processes: dict[str, ManagedSubprocess] = {}
        self.drivers = Drivers(self)
        self._supervisord = supervisord
        self._unfit = ""  # why nothing can be managed
        self._startup = Startup(supervisord.options, self.failed)
        self.settings = parse(INTERFACE, self._startup.joined(config) or config)

    def serves(self, supervisord: Supervisor) -> bool:
        """True if this is that supervisord's host side."""
        return self._supervisord is supervisord

    def manage_all(self) -> None:
        """Specialise the programs and the driver, now and whenever a group is added."""
        unfit = self.system.unfit()
        if unfit:
            self._unfit = f"[{INTERFACE}] no restart can be a handover: {unfit}"
            self._complain(self._unfit)
        else:
            options = self._supervisord.options
            self.open_notes(
                self.settings.state,
                "supervisord",
                self.system.real_path(options.configfile),
                options.identifier,
            )
            self._manage_groups()
        for line in self._startup.complaints(self.settings.programs):
            self._complain(line)

    def _manage_groups(self) -> None:
        for group in self._supervisord.process_groups.values():
            self._specialise(group)
        self.subscribe(events.ProcessGroupAddedEvent, self._group_added)
        self.subscribe(events.ProcessGroupRemovedEvent, self._group_removed)
        self.subscribe(events.ProcessStateRunningEvent, self._running)
        self.subscribe(events.Tick5Event, lambda event: self.tick())
        self.subscribe(events.SupervisorRunningEvent, self._begins)
        self.subscribe(events.SupervisorStoppingEvent, lambda event: self.ends())
        groups = self._supervisord.process_groups.values()
        for error in [*self.settings.errors, *unknown_programs(self.settings, groups)]:
            self._complain(str(error))
        if not self.drivers.exist:
            self._complain(
                "[eventlistener:unicorn_handover] is missing, so no restart can be a handover; "
                "`supervisor_unicorn --echo-conf NAME ...` prints it"
            )

    def subscribe(self, kind: type[events.Event], callback: Callable[..., None]) -> None:
        """Have supervisord call something at each event of a kind; what it raises is contained."""
        events.subscribe(kind, lambda event: self._call(callback, event))

    @contained()
    def _call(self, callback: Callable[..., None], event: events.Event) -> None:
        callback(event)

    def _specialise(self, group: ProcessGroupBase) -> None:
        """Put our own kinds of subprocess in the place of those that have not been started yet."""
        is_driver = isinstance(group, EventListenerPool) and DriverEvent in group.config.pool_events
        for name, process in list(group.processes.items()):
            if type(process) is not Subprocess or process.pid:
                continue
            mine: Subprocess | None = None
            if is_driver:
                mine = self.drivers.make(process.config, self.loop)
            elif not isinstance(group, EventListenerPool):
                mine = self._managed(group, process)
            if mine:
                mine.group = group
                group.processes[name] = mine
        self._warn_about(group)

    def _warn_about(self, group: ProcessGroupBase) -> None:
        for process in group.processes.values():
            reason = self.why_unmanaged(process)
            if reason:
                self._complain(reason)
        managed = [p.config for p in group.processes.values() if isinstance(p, ManagedSubprocess)]
        for line in copies(group.config.name, managed):
            self.log(WARNING, line)

    def _managed(self, group: ProcessGroupBase, process: Subprocess) -> ManagedSubprocess | None:
        """Return a managed process for a program, None if the section does not list it."""
        names = names_of(group, process)
        options = options_of(self.settings, names)
        if options is None:
            return None
        program = self.manage(names[0], options)
        program.refusal = refusal_of(self.settings, names)
        mine = ManagedSubprocess(process.config, program, self.loop, self._supervisord.reap)
        self.processes[program.name] = mine
        return mine

    def named(self, name: str) -> Subprocess | None:
        """The process of that name, managed or not, or None."""
        group, process = split_namespec(name)
        found = self._supervisord.process_groups.get(group)
        return found.processes.get(process) if found else None

    def why_unmanaged(self, process: Subprocess) -> str:
        """What keeps a program that the section lists from being managed, or ""."""
        if isinstance(process, ManagedSubprocess):
            return ""
        if options_of(self.settings, names_of(process.group, process)) is None:
            return ""
        return self._unfit or why_unmanaged(process, self.drivers.include(process))

    def _group_added(self, event: events.ProcessGroupAddedEvent) -> None:
        group = self._supervisord.process_groups.get(event.group)
        if group:
            self._specialise(group)
            take_over(group)

    def _group_removed(self, event: events.ProcessGroupRemovedEvent) -> None:
        self.drivers.forget(event.group)
        for name, process in list(self.processes.items()):
            if process.group.config.name == event.group:
                del self.processes[name]
                self.forget(name, "the program was removed")

    def _begins(self, event: events.SupervisorRunningEvent) -> None:
        """This is the process that stays: take over what an earlier supervisord has left."""
        for group in self._supervisord.process_groups.values():
            take_over(group)
        if self.notes:
            self.notes.report_others(self.programs)

    def _running(self, event: events.ProcessStateRunningEvent) -> None:
        if isinstance(event.process, ManagedSubprocess):
            event.process.program.stop_signal.begin(event.process.stop_setting)

    def _complain(self, text: str) -> None:
        """Log a line, and at start print it on standard error as well."""
        self.logger.critical(text)
        print(f"supervisor_unicorn: {text}", file=sys.stderr, flush=True)

    def known_pids(self) -> Collection[int]:
        """The pids of all that supervisord has started or adopted and not yet reaped."""
        pids: dict[int, Any] = self._supervisord.options.pidhistory
        return pids

    def log(self, level: int, text: str) -> None:
        """Write a line to supervisord's log, whose levels are those of `logging`."""
        self.logger.log(level, text)

    def failed(self, text: str) -> None:
        """Log a contained error of this plugin."""
        self.logger.critical(f"supervisor_unicorn: {text}")

    def publish(self, record: Record) -> None:
        """Notify the event listeners."""
        process = self.processes.get(record.program)
        if process and record.phase.final:
            process.handover_ended(record.number)
        events.notify(HandoverEvent(record))

    def why_no_driver(self) -> str:
        """Why there is no driver, or none that answers, and what to do."""
        return self.drivers.why_none()


def take_over(group: ProcessGroupBase) -> None:
    """Take over what an earlier supervisord has left of a group's programs."""
    for process in group.processes.values():
        if isinstance(process, ManagedSubprocess):
            process.take_over()
