"""The host side inside circusd: its managed watchers, and their logs, events and status.

It runs in circusd's own loop, so nothing here blocks the loop or raises into it. Where the kernel
offers no event, a bounded timer polls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from circus import logger
from circus.arbiter import Arbiter
from circus.watcher import Watcher

from unicorn_handover.host.guard import contained
from unicorn_handover.host.presence import DRIVER_GRACE
from unicorn_handover.host.side import HostSide
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options
from unicorn_handover.model.record import Record
from unicorn_handover.progress import struct

from . import circusd_restart
from .circusd import Circusd
from .driver import Driver
from .loop import CircusLoop
from .plugin_watcher import PluginWatcher
from .restarts import Restarts
from .selection import PLUGIN, Selection, is_one_process
from .watcher import ManagedWatcher

PLUGIN_LOOKS, PLUGIN_PAUSE = 100, 0.1  # seconds


class CircusSide(HostSide):
    """Knows the managed watchers and the driver of one circusd.

    watchers: the managed ones, by the names of their programs.
    """

    daemon = "circusd"
    loop: CircusLoop

    def __init__(self, system: System) -> None:
        super().__init__(system, CircusLoop(self.failed))
        self.watchers: dict[str, ManagedWatcher] = {}
        self.circusd = Circusd(self.look, self.ends)
        self.selection = Selection(self.circusd)
        self.driver = Driver(self, self.circusd, self.selection)
        self.restarts = Restarts(self, self.driver)
        self._has_notes = False  # or has tried to

    def enter(self, arbiter: Arbiter, install: Callable[[CircusSide], None]) -> None:
        """Become the host side of another arbiter; `install` adds the commands to it."""
        self.circusd.enter(arbiter)
        self.loop.tornado = arbiter.loop
        self.circusd.before_start(lambda: self._begin(install))

    @contained()
    def _begin(self, install: Callable[[CircusSide], None]) -> None:
        """Manage all, if handovers are possible here; else log why not."""
        unfit = self.system.unfit()
        if unfit:
            logger.error(f"{PLUGIN}: no restart can be a handover: {unfit}")
            return
        install(self)
        self._manage_all()
        self.circusd.before_each_start(self._manage_before_start)

    @contained()
    def _manage_before_start(self, watcher: Watcher) -> None:
        """Manage a watcher before its first start: something of it may run already."""
        name = str(watcher.name.lower())
        options = self.settings.programs.get(name)
        if options is None or isinstance(watcher, ManagedWatcher):
            return
        if name in self.watchers:  # Circus has replaced it
            self.forget(name, "the watcher was replaced")
            self.watchers.pop(name).give_back()
        self._manage_watcher(name, watcher, options)

    def _manage_all(self) -> None:
        """Become the parent of orphans, and manage watchers, now and periodically."""
        self.is_ending = False
        self.become_subreaper()
        self.loop.after(DRIVER_GRACE, self.tick)
        survivors = circusd_restart.Survivors(self, self.circusd, self.watchers)
        self.watchers = {}
        self._look_for_plugin(PLUGIN_LOOKS)
        survivors.place(self.watchers)

    def _look_for_plugin(self, times: int) -> None:
        """Poll until the plugin is there: `reloadconfig` adds its watcher after it was started."""
        self.look()
        if self.selection.plugin is None and (times > 0 or self.circusd.reads_config):
            self.loop.after(PLUGIN_PAUSE, lambda: self._look_for_plugin(times - 1))

    def look(self) -> None:
        """Manage new watchers, apply new settings, and release the watchers that are gone."""
        if self.circusd.reads_config:
            return
        self._read_settings()
        self._manage_plugin()
        knows_all = self._open_notes()
        there = {str(watcher.name.lower()): watcher for watcher in self.circusd.watchers}
        # Each by itself: what is wrong with one program must not cost another one its master.
        for name in list(self.watchers):
            self._keep_or_release(name, there.get(name))
        for name, options in self.settings.programs.items():
            if name in there:
                self._manage_watcher(name, there[name], options)
        if self.notes and not knows_all:
            self.notes.report_others(self.programs)
        self.tick()

    @contained(True)
    def _open_notes(self) -> bool:
        """Begin to know what an earlier circusd has left; True if that is known, or cannot be."""
        was_tried, self._has_notes = self._has_notes, self.selection.plugin is not None
        if was_tried or not self._has_notes:
            return True
        path = self.system.real_path(self.circusd.config_file)
        self.open_notes(self.settings.state, "circusd", path)
        return False

    @contained()
    def _read_settings(self) -> None:
        self.selection.read()
        self.settings = self.selection.settings

    @contained()
    def _manage_plugin(self) -> None:
        if type(self.selection.plugin) is Watcher:
            PluginWatcher.manage(self.selection.plugin, self.circusd, self.restarts)
        for plugin in self.selection.plugins():  # another one is turned away each time it comes
            plugin.respawn = plugin is self.selection.plugin

    @contained()
    def _keep_or_release(self, name: str, there: Watcher | None) -> None:
        managed = self.watchers[name]
        is_there, is_listed = there is managed, name in self.settings.programs
        # In the middle of a handover or of a stop only this side knows the whole family.
        running = managed.program.handovers.running is not None
        is_busy = managed.is_ending or (is_there and running)
        if not is_busy and not (is_there and is_listed):
            self.forget(name, "the watcher is not managed any more")
            self.watchers.pop(name).give_back()

    @contained()
    def _manage_watcher(self, name: str, watcher: Watcher, options: Options) -> None:
        if not is_one_process(watcher):
            options = replace(options, survive=False, hold=0, hold_stop=0)
        program = self.manage(name, options)
        error = self.settings.refusals.get(name)
        program.refusal = str(error) if error else ""
        if name in self.watchers:
            return
        managed = ManagedWatcher.manage(watcher, program, self.circusd, self.restarts)
        self.watchers[name] = managed
        refusal = managed.refusal()
        if refusal:
            logger.error(refusal)
        program.stop_signal.begin(managed.stop_setting)

    def circusd_ends(self) -> None:
        """Stop the programs that were kept for the next arbiter, if there is none."""
        for watcher in self.watchers.values():
            watcher.end_for_good()
        self.ends()
        if self.notes and self.notes.are_gone:
            self.close_notes()

    def known_pids(self) -> set[int]:
        """The pids of all processes that are some watcher's."""
        beside = {program.beside.pid for program in self.programs.values()}
        found = {watcher.found_pid for watcher in self.watchers.values()}
        return beside.union(found, *(watcher.processes for watcher in self.circusd.watchers))

    def log(self, level: int, text: str) -> None:
        """Write a line to circusd's log."""
        logger.log(level, text)

    def publish(self, record: Record) -> None:
        """Publish a watcher's `handover` event."""
        watcher = self.watchers.get(record.program)
        if watcher is not None:
            event = struct(record, self.system.clock())
            # Circus's watchdog plugin warns of each event without this.
            event["process_pid"] = record.old.pid
            watcher.notify_event("handover", {**event, "time": time.time()})

    def why_no_driver(self) -> str:
        """Why there is no driver, or none that answers, and what to do."""
        return self.driver.why_none()

    def changed(self, record: Record, entered: bool) -> None:
        """Answer the waiting callers as well."""
        watcher = self.watchers.get(record.program)
        if watcher and record.phase.final:
            watcher.in_force.over(record)
        super().changed(record, entered)
        self.restarts.look(record.program)

    def tick(self) -> None:
        """Answer the waiting callers as well if the driver stays away."""
        super().tick()
        self.restarts.look()

    def status_of(self, name: str) -> dict[str, Any]:
        """What `circus_unicorn status` shows of a watcher."""
        watcher = self.watchers[name]
        master = watcher.master
        known = {"name": watcher.name, "pid": master.pid if master else 0}
        return {**known, "state": watcher.status(), **self.status(watcher.program)}
