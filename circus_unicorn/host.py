"""The host side inside circusd: which watchers are managed, and what is to be done with them.

It runs in circusd's own loop, so nothing here blocks or raises into it. What wakes nobody is looked
for by timers that end: the plugin's watcher, the taking of a signal, what a master left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

from circus import logger
from circus.arbiter import _ENV_EXCEPTIONS, Arbiter
from circus.commands.errors import COMMAND_ERROR
from circus.config import get_config
from circus.exc import MessageError
from circus.util import check_future_exception_and_log, parse_env_dict
from circus.watcher import Watcher
from tornado.concurrent import Future

from unicorn_handover.errors import ConfigError, printable, raised
from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.presence import DRIVER_GRACE
from unicorn_handover.host.request import ACCEPTING
from unicorn_handover.host.side import HostSide
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options, Settings, names_in, parse
from unicorn_handover.model.record import Record
from unicorn_handover.progress import struct

from .conffiles import doubled, sections_named, watchers
from .controller import (
    AddCommand,
    ReloadConfigCommand,
    RestartCommand,
    UnicornCommand,
    WorkersCommand,
)
from .coroutines import Steps, coroutine
from .guard import guarded
from .loop import CircusLoop
from .plugin import NAME, peer
from .restart import Restart
from .watcher import ManagedWatcher, PluginWatcher

PLUGIN = "circus_unicorn.UnicornPlugin"
STARTING = ("arbiter_start_watchers", "arbiter_reload_config")
NOT_OURS = ("active", "__name__")  # what Circus itself puts among a plugin's options
LINGER = 1000  # milliseconds
PLUGIN_LOOKS, PLUGIN_PAUSE = 100, 0.1  # seconds


class Host(HostSide):
    """Knows the managed watchers and the driver of one circusd."""

    arbiter: Arbiter
    loop: CircusLoop
    daemon = "circusd"

    def __init__(self, system: System) -> None:
        super().__init__(system, CircusLoop(self.failed))
        self.watchers: dict[str, ManagedWatcher] = {}
        self.driver = 0  # its pid
        self._start_plugin_from = 0.0  # on the clock
        self.restarting = False  # while Circus begins to stop watchers, to start them again
        self._plugin: Watcher | None = None
        self._raw: dict[str, str] | None = None
        self._end: HostEnd | None = None
        self._restarts: list[Restart] = []
        self._answers: list[Any] = []
        self._begun: list[Restart] | None = None

    @property
    def check_delay(self) -> float:
        """Seconds between two of Circus's own looks at its processes."""
        return float(self.arbiter.check_delay)

    # -- which watchers --------------------------------------------------------------------------

    def take_over(self) -> None:
        """Begin: become the parent of orphans, add the commands, look for watchers."""
        unfit = self.system.unfit()
        if unfit:
            logger.error(f"{PLUGIN}: no restart can be a handover: {unfit}")
            return
        self.become_subreaper()
        commands = self.arbiter.ctrl.commands
        commands[UnicornCommand.name] = UnicornCommand(self)
        for name in ("restart", "reload"):
            commands[name] = RestartCommand(commands[name], self)
        for name in ("incr", "decr"):
            commands[name] = WorkersCommand(commands[name], self)
        commands["add"] = AddCommand(commands["add"], self)
        commands["reloadconfig"] = ReloadConfigCommand(commands["reloadconfig"], self)
        self.arbiter.loop.call_later(DRIVER_GRACE, self.tick)
        left, self.watchers = self.watchers, {}
        self._look_for_plugin(PLUGIN_LOOKS)
        for name, watcher in left.items():
            guarded(name, self._find_a_place, name, watcher)

    def _look_for_plugin(self, times: int) -> None:
        """Look until the plugin is there: `reloadconfig` adds its watcher after it was started."""
        self.look()
        if self._plugin is None and (times > 0 or self._reads_config):
            self.arbiter.loop.call_later(PLUGIN_PAUSE, self._look_for_plugin, times - 1)

    def _find_a_place(self, name: str, left: ManagedWatcher) -> None:
        """Put a program that outlived circusd's restart under the watcher of the same name."""
        same = self.watchers.get(name)
        if left.processes and same is not None and same.autostart:
            same.inherit(left)
        elif left.processes:
            self.arbiter.loop.add_callback(left.end)

    def circusd_ends(self) -> None:
        """Stop what was to run on from one arbiter to the next, if there is no next one."""
        for name, watcher in self.watchers.items():
            guarded(name, watcher.circusd_ends)

    def outlives_circusd(self, watcher: ManagedWatcher) -> bool:
        """True if circusd is about to start anew, and will have this same watcher again."""
        if not self.arbiter._restarting or not watcher.can_be_handed_over:
            return False
        # Sockets are Circus's own, and end with it.
        if watcher.use_sockets or len(watcher.processes) != 1:
            return False
        try:
            config = get_config(self.arbiter.config_file)
            new = next(c for c in config["watchers"] if c["name"] == watcher.name)
            new["env"] = parse_env_dict(new["env"])
            plugin = next(c for c in config["plugins"] if _names_plugin([c.get("use", "")]))
        except (Exception, SystemExit):  # of a file that may be anything by now
            return False
        if watcher.program.name not in names_in(plugin.get("watchers", "").lower()):
            return False
        old = getattr(watcher, "_cfg", None)  # one that was added at run time has none
        return old is not None and _comparable(new) == _comparable(old)

    def has(self, watcher: ManagedWatcher) -> bool:
        """True if Circus has this watcher, and did not remove it."""
        return watcher in self.arbiter.watchers

    def look(self) -> None:
        """Take in the watchers and settings that are new, let go of those that are gone."""
        if self._reads_config:
            return  # the plugin or a watcher may be gone for a moment
        guarded(PLUGIN, self._read_settings)
        there = {str(w.name.lower()): w for w in self.arbiter.watchers}
        # Each by itself: what is wrong with one program must not cost another one its master.
        for name in list(self.watchers):
            guarded(name, self._keep_or_let_go, name, there.get(name))
        for name, options in self.settings.programs.items():
            if name in there:
                guarded(name, self._take_in, name, there[name], options)
        self.tick()

    def _keep_or_let_go(self, name: str, there: Watcher | None) -> None:
        managed = self.watchers[name]
        listed = name in self.settings.programs
        # In the middle of a handover or of a stop only this side knows the whole family.
        busy = managed.is_ending or (there is managed and self.is_running(name))
        if not busy and not (there is managed and listed):
            self._let_go(name)

    def look_anew(self) -> None:
        """Look, and tell again what is wrong with the settings."""
        self._raw = None
        self.look()

    @property
    def _reads_config(self) -> bool:
        return bool(self.arbiter._exclusive_running_command == "arbiter_reload_config")

    def _read_settings(self) -> None:
        plugins = self._plugins()
        self._plugin = plugins[0] if plugins else None
        if self._plugin is None:
            self.settings, self._raw = Settings({}), None
            return
        if type(self._plugin) is Watcher:
            PluginWatcher.manage(self._plugin, self)
        raw = {k: str(v) for k, v in self._plugin._options.items() if k not in NOT_OURS}
        if raw == self._raw:
            return
        self._raw = raw
        # Circus finds watchers by their names in lower case, and reads keys in lower case.
        lowered = {k: v.lower() if k == "watchers" else v for k, v in raw.items()}
        sections = sections_named(self._plugin.name, getattr(self.arbiter, "config_file", ""))
        if len(sections) > 1:
            logger.error(doubled(sections))
            lowered["watchers"] = ",".join(name for s in sections for name in watchers(s))
        self.settings = parse(self._plugin.name, lowered, "watchers")
        unusable = self._unusable(raw)
        for name in self.settings.programs if unusable else ():
            self.settings.refusals.setdefault(name, unusable[0])
        for error in [*self.settings.errors, *unusable, *self._unknown(plugins)]:
            logger.error(str(error))

    def _plugins(self) -> list[Watcher]:
        """Circus's watchers of this plugin; the first one is the driver's."""
        return [w for w in self.arbiter.watchers if _names_plugin(w.cmd.split())]

    def _unusable(self, raw: dict[str, str]) -> list[ConfigError]:
        assert self._plugin is not None
        return [
            ConfigError(
                self._plugin.name,
                printable(key, 60),
                f"{printable(value, 80)!r} has a space or a quote in it, with which Circus cannot "
                "start the plugin",
                "put it in double quotes"
                if _may_be_quoted(key)
                else "separate names by commas alone",
            )
            for key, value in raw.items()
            if any(mark in value for mark in " \t\n'\"\\") and not _is_quoted(key, value)
        ]

    def _unknown(self, plugins: list[Watcher]) -> list[ConfigError]:
        assert self._plugin is not None
        there = {str(w.name.lower()) for w in self.arbiter.watchers}
        section = self._plugin.name
        errors = self._clashes(section)
        errors += [
            ConfigError(
                section,
                "watchers",
                f"there is no [watcher:{printable(name, 60)}]",
                "add the watcher, or take the name off the list",
            )
            for name in self.settings.programs
            if name not in there
        ]
        for other in plugins[1:]:
            fix = f"name all watchers in [{section}]"
            errors.append(ConfigError(other.name, "use", "a second driver is not needed", fix))
        return errors

    def _clashes(self, section: str) -> list[ConfigError]:
        """Listed watchers of one name, of which Circus's commands, blind to case, reach one."""
        there = [watcher.name.lower() for watcher in self.arbiter.watchers]
        return [
            ConfigError(
                section,
                "watchers",
                f"{there.count(name)} watchers have the name {name}, but for upper and lower case",
                "rename the others, for circusctl reaches only one of them",
            )
            for name in self.settings.programs
            if there.count(name) > 1
        ]

    def _take_in(self, name: str, watcher: Watcher, options: Options) -> None:
        program = self.manage(name, options)
        if name in self.watchers:
            return
        managed = self.watchers[name] = ManagedWatcher.manage(watcher, self, program)
        refusal = managed.refusal()
        if refusal:
            logger.error(refusal)
        program.started()

    def _let_go(self, name: str) -> None:
        self.forget(name, "the watcher is not managed any more")
        self.watchers.pop(name).give_back()

    def known_pids(self) -> set[int]:
        """The pids of all processes that are some watcher's."""
        return {pid for watcher in self.arbiter.watchers for pid in list(watcher.processes)}

    # -- restarts --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def beginning(self, several: bool) -> Iterator[list[Restart]]:
        """Gather the restarts that Circus begins now.

        `several` watchers are stopped and then started; that stop is no stop for a managed one.
        """
        begun: list[Restart] = []
        self._begun, self.restarting = begun, several
        try:
            yield begun
        finally:
            self._begun, self.restarting = None, False

    def begin(self, watcher: ManagedWatcher) -> Any:
        """Ask for a handover; return the future of what became of it. Never raises."""
        restart = self._restart_of(watcher)
        if self._begun is not None:
            self._begun.append(restart)
        if restart.look():
            self._restarts.append(restart)
            self.arbiter.loop.call_later(ACCEPTING, restart.accept)
        elif "error" in restart.ended.result():
            logger.warning(f"{watcher.name}: no handover: {restart.ended.result()['error']}")
        return restart.ended

    def _restart_of(self, watcher: ManagedWatcher) -> Restart:
        try:
            return Restart(self, watcher.program, self._refusal(watcher))
        except Exception as error:  # of several watchers Circus would leave the others stopped
            return Restart(self, watcher.program, raised(error))

    @property
    def reloads_all(self) -> bool:
        """True while Circus reloads one watcher after the other."""
        return bool(self.arbiter._exclusive_running_command == "arbiter_reload")

    def reload_all(self, graceful: bool) -> None:
        """Begin the handovers of a reload of all watchers at once, so that its caller hears."""
        for watcher in self.arbiter.iter_watchers():
            if isinstance(watcher, ManagedWatcher) and watcher.reload_is_handover(graceful):
                self.begin(watcher)

    def _refusal(self, watcher: ManagedWatcher) -> str:
        error = self.settings.refusals.get(watcher.program.name)
        if error:
            return str(error)
        return watcher.refusal() or ("" if self._driver_will_come else self.why_no_driver())

    def answer(self, begun: list[Restart], response: Any, waiting: bool) -> Any:
        """The future of the answer to a restart or reload of which `begun` are handovers.

        `response` is Circus's own: one watcher's, or that of all, handed over or not.
        """
        answer = Future()
        self._answers = [other for other in self._answers if not other.done()] + [answer]
        pending = [restart.ended if waiting else restart.accepted for restart in begun]
        others = []
        if type(response) is Future:
            response.add_done_callback(check_future_exception_and_log)
            others = [response] if waiting else []

        def one_is_done(_: object) -> None:
            if not answer.done() and all(future.done() for future in pending + others):
                outcomes = [future.result() for future in pending]
                errors = [future.exception() for future in others if future.exception()]
                answer.set_result(_answer(begun, outcomes, errors, waiting))

        for future in pending + others:
            future.add_done_callback(one_is_done)
        return answer

    @coroutine
    def dismiss_callers(self) -> Steps:
        """Answer all who wait, as circusd is about to start anew."""
        for restart in self._restarts:
            restart.dismiss()
        # Circus closes its socket without waiting for what is on the way.
        self.arbiter.ctrl.ctrl_socket.linger = LINGER
        yield list(self._answers)

    def _look_at_restarts(self) -> None:
        self._restarts = [restart for restart in self._restarts if restart.look()]

    def tick(self) -> None:
        """Tell the callers if the driver stays away."""
        super().tick()
        self._look_at_restarts()

    def is_running(self, name: str) -> bool:
        """True while a handover of this program is under way."""
        return self.programs[name].handovers.running is not None

    # -- what the host side asks -----------------------------------------------------------------

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
        """Why there is no driver, and what to do."""
        if self._plugin is None:
            return f"there is no plugin that uses {PLUGIN}; add it to circusd's configuration"
        name = self._plugin.name
        if self.driver:
            return f"the driver {name} does not answer; `circusctl restart {name}`"
        return (
            f"the driver {name} is not running; `circusctl start {name}`, and set logoutput in "
            "[circus] to see why it ends"
        )

    def status_of(self, name: str) -> dict[str, Any]:
        """What `circus_unicorn status` shows of a watcher."""
        watcher = self.watchers[name]
        master = watcher.master
        known = {"name": watcher.name, "pid": master.pid if master else 0}
        return {**known, "state": watcher.status(), **self.status(watcher.program)}

    def changed(self, record: Record, entered: bool) -> None:
        """Tell the callers as well."""
        super().changed(record, entered)
        self._look_at_restarts()

    # -- the driver ------------------------------------------------------------------------------

    def connect(self, address: str) -> None:
        """Connect to the driver, which listens. Raises MessageError if it is not the plugin's."""
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            channel.setblocking(False)
            channel.connect(NAME + address)
            pid = peer(channel)
        except (OSError, ValueError) as error:
            channel.close()
            raise MessageError(f"cannot connect to the driver: {error}") from None
        if not self._is_the_plugins(pid):
            channel.close()
            logger.warning(f"pid {pid} is turned away: it is not the plugin that circusd started")
            raise MessageError(f"pid {pid} is not the plugin that circusd started")
        self._disconnect()
        end = HostEnd(channel, self.loop, self._hear, self._went, self.log)
        self.driver, self._end = pid, end
        self.driver_came(self._end)
        self.look()  # not before, or those who wait for a driver would hear that there is none

    def _is_the_plugins(self, pid: int) -> bool:
        if any(pid in plugin.processes for plugin in self._plugins()[:1]):
            return True
        # The watcher of a plugin that `reloadconfig` has started is not there before its end.
        return (
            self._reads_config
            and pid in self.system.children(os.getpid())
            and _names_plugin(self.system.command_line(pid))
        )

    def _hear(self, end: HostEnd, message: dict[str, Any]) -> None:
        if "record" in message:
            self.take(message["record"])
        else:
            self.driver_greeted(message.get("driver"))

    def _went(self, end: HostEnd) -> None:
        if end is self._end:
            driver, now = self.driver, self.system.clock()
            self._disconnect()
            self.arbiter.loop.call_later(DRIVER_GRACE, self.tick)
            # Not more often than Circus looks: a driver that crashes must not become a loop.
            if now >= self._start_plugin_from:
                self._start_plugin_from = now + self.check_delay
                self._start_after(driver)

    def _start_after(self, driver: int) -> None:
        """Have Circus start the plugin again as soon as it has ended, not at the next look.

        It may have died together with a new master in its soak: then nobody answers until another
        driver brings the old workers back.
        """
        held, loop = self.system.hold(driver), self.arbiter.loop

        def ended(descriptor: int, events: int) -> None:
            loop.remove_handler(descriptor)
            if held:
                held.close()
            self._start_plugin()

        if held:
            loop.add_handler(held.fileno(), ended, loop.READ)
        else:
            self._start_plugin()

    def _start_plugin(self) -> None:
        # A command that runs, such as a reload of all, may be about to replace the plugin itself.
        idle = self.arbiter._exclusive_running_command is None
        if self._plugin is not None and self._driver_will_come and idle:
            self.arbiter.loop.add_callback(self._plugin.manage_processes)

    def _disconnect(self) -> None:
        end, self._end, self.driver = self._end, None, 0
        if end:
            end.close()
            self.driver_went()

    @property
    def _driver_will_come(self) -> bool:
        plugin, command = self._plugin, self.arbiter._exclusive_running_command
        if plugin is None:
            return False
        # Each of them starts the plugin, or another one in its place.
        starting = plugin.autostart and command in STARTING
        return starting or not (plugin.is_stopped() or plugin.is_stopping())


def _may_be_quoted(key: str) -> bool:
    return key.rpartition(".")[2] == "check_headers"


def _is_quoted(key: str, value: str) -> bool:
    """True for request headers that Circus passes on as one word, whatever is in them."""
    return _may_be_quoted(key) and re.fullmatch(r'"[^"\\\n]*"', value) is not None


def _names_plugin(words: list[str]) -> bool:
    """True if the last word names this plugin, in one of the two ways that Circus understands."""
    return any(word.replace(":", ".") == PLUGIN for word in words[-1:])


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """A watcher's configuration without the variables that `reloadconfig` passes over.

    It takes them out of the one it has, even where it changes nothing.
    """
    env = {key: value for key, value in config.get("env", {}).items() if key not in _ENV_EXCEPTIONS}
    return {**config, "env": env}


def _answer(
    begun: list[Restart],
    outcomes: list[dict[str, Any]],
    errors: list[BaseException],
    waiting: bool,
) -> dict[str, Any]:
    """The controller's answer. A `status` among what is told takes the place of its "ok"."""
    failed = [(r.name, o) for r, o in zip(begun, outcomes) if "error" in o]
    lines = []
    for program, outcome in failed:
        lines.append(f"{program}: {outcome['error']}")
        lines += [f"    | {line}" for line in outcome["output"]]
    lines += [f"the other watchers: {error}; see circusd's log" for error in errors]
    if lines:
        return {"status": "error", "reason": "\n".join(lines), "errno": COMMAND_ERROR, "tb": None}
    if not waiting:
        return {}
    if len(begun) == 1:
        return {"info": outcomes[0]}
    return {"info": {restart.name: outcome for restart, outcome in zip(begun, outcomes)}}
