"""What circusd is doing right now. No other file names its private attributes.

Circus 0.18 and 0.19 have these: `Arbiter._exclusive_running_command`, set by `synchronized` around
a command, `Arbiter._restarting` and `_stopping`, `Watcher._cfg`, `_options` and `_status`, and
`Watcher._found_wids`, the numbers of processes that run before a watcher is started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from errno import EADDRINUSE
from typing import Any

from circus.arbiter import _ENV_EXCEPTIONS, Arbiter
from circus.config import get_config
from circus.util import parse_env_dict
from circus.watcher import Watcher
from zmq.error import ZMQError

STARTING = ("arbiter_start_watchers", "arbiter_reload_config")
STOPPING = ("watcher_stop", "arbiter_stop_watchers")
CLOSING, CLOSING_PAUSE = 2.0, 0.002  # seconds that zmq has to close a socket; between two tries


class Doing:
    """What an arbiter is doing right now."""

    arbiter: Arbiter

    @property
    def _command(self) -> str | None:
        """The command that keeps others from being executed, or None."""
        command: str | None = self.arbiter._exclusive_running_command
        return command

    @property
    def reads_config(self) -> bool:
        """True while a watcher, the plugin's as well, may be gone for a moment."""
        return self._command == "arbiter_reload_config"

    @property
    def reloads_all(self) -> bool:
        """True while Circus reloads one watcher after the other."""
        return self._command == "arbiter_reload"

    @property
    def stops_by_command(self) -> bool:
        """True while Circus stops what an operator, or a plugin, wants to be stopped."""
        return self._command in STOPPING

    @property
    def is_idle(self) -> bool:
        """True if no command runs that may be about to replace the plugin itself."""
        return self._command is None

    @property
    def starts_watchers(self) -> bool:
        """True while a command runs that will start every watcher, or another in its place."""
        return self._command in STARTING

    @property
    def restarts_itself(self) -> bool:
        """True if there will be another arbiter after this one."""
        return bool(self.arbiter._restarting)

    @property
    def is_ending(self) -> bool:
        """True while all is stopped, be it for another arbiter."""
        return bool(self.arbiter._stopping or self.arbiter._restarting)

    @property
    def is_running(self) -> bool:
        """True once Circus has begun to start its watchers."""
        return bool(self.arbiter.running)


class Circusd(Doing):
    """The arbiter of the moment: a restart of circusd makes another one.

    look: looks at all watchers. `ends` is called when circusd is told to end, or to begin anew,
    before it stops anything. Neither raises.
    """

    def __init__(self, look: Callable[[], None], ends: Callable[[], None]) -> None:
        self.look = look
        self._ends = ends
        self._has_ended = False
        self._has_looked = False
        self._config: dict[str, Any] | None = None  # as it was read in this turn

    def enter(self, arbiter: Arbiter) -> None:
        """Take another arbiter for circusd's."""
        if self._has_ended:
            for binds in (arbiter, arbiter.ctrl):
                binds.initialize = when_free(binds.initialize)
        self.arbiter, self._has_ended = arbiter, False

    def checks(self) -> None:
        """Look once for all the watchers that Circus checks in one turn of its loop."""
        if not self._has_looked:
            self._has_looked = True
            self.soon(self._turn_is_over)
            self.look()

    def ends(self) -> None:
        """Call `ends`, once, if all is stopped, be it for another arbiter."""
        if self.is_ending and not self._has_ended:
            self._has_ended = True
            self._ends()

    def _turn_is_over(self) -> None:
        self._has_looked, self._config = False, None

    def before_start(self, call: Callable[[], None]) -> None:
        """Call when all watchers are there, before any is started; in a moment if they run."""
        arbiter = self.arbiter
        if arbiter.evpub_socket is not None:
            self.soon(call)
            return
        initialize = arbiter.initialize

        def then_call() -> None:
            initialize()
            call()

        arbiter.initialize = then_call

    def before_each_start(self, call: Callable[[Watcher], None]) -> None:
        """Call with each watcher that `reloadconfig` is about to start for the first time."""
        arbiter = self.arbiter
        start = arbiter.start_watcher

        def call_then(watcher: Watcher) -> Any:
            call(watcher)
            return start(watcher)

        arbiter.start_watcher = call_then

    @property
    def check_delay(self) -> float:
        """Seconds between two of Circus's own checks of its processes."""
        return float(self.arbiter.check_delay)

    @property
    def config_file(self) -> str:
        """The path of its configuration, "" if it has none."""
        return getattr(self.arbiter, "config_file", None) or ""

    @property
    def watchers(self) -> list[Watcher]:
        """All watchers, as Circus itself lists them now."""
        return list(self.arbiter.watchers)

    def in_order(self) -> Iterator[Watcher]:
        """All watchers, those that Circus starts first in front."""
        yield from self.arbiter.iter_watchers()

    def has(self, watcher: Watcher) -> bool:
        """True if Circus has this watcher, and did not remove it."""
        return watcher in self.arbiter.watchers

    def soon(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call when what Circus is doing now is done."""
        self.arbiter.loop.add_callback(call, *arguments)

    def is_to_restart_by(self, config: dict[str, Any]) -> bool:
        """True if `reloadconfig` would restart circusd itself with this configuration."""
        arbiter = self.arbiter
        return bool(arbiter.get_arbiter_config(config) != arbiter._cfg)

    def read_config(self) -> dict[str, Any]:
        """Read the configuration file anew. May raise anything, SystemExit as well.

        Circus stops all watchers in one turn of its loop, so what was read is kept for that turn.
        """
        if self._config is None:
            self._config = get_config(self.config_file)
            self.soon(self._turn_is_over)
        return self._config


def when_free(initialize: Callable[[], None]) -> Callable[[], None]:
    """Let an arbiter's sockets wait for the addresses that the one before it has just given up.

    zmq closes a socket in a thread of its own, a few milliseconds after `close` has returned
    (zmq_close(3)). Circus binds the address again at once: where it came first circusd ended, and
    with it every program (measured with TCP endpoints: 6 of 43 restarts of a circusd without this
    plugin, 5 of 15 with it).
    """

    def initialize_when_free() -> None:
        deadline = time.monotonic() + CLOSING
        while True:
            try:
                return initialize()
            except ZMQError as error:
                if error.errno != EADDRINUSE or time.monotonic() >= deadline:
                    raise
            time.sleep(CLOSING_PAUSE)

    return initialize_when_free


def start_as_running(watcher: Watcher) -> None:
    """Let the watcher's start find its process running, and call no hook that could forbid it."""
    watcher._found_wids = [1]


def set_stopped(watcher: Watcher) -> None:
    """Let a watcher that has no process any more be stopped, without hooks and events."""
    watcher._status = "stopped"


def plugin_options(watcher: Watcher) -> dict[str, str]:
    """The keys and values of a plugin's section, with what Circus adds to them."""
    return {key: str(value) for key, value in watcher._options.items()}


def is_configured_by(watcher: Watcher, config: dict[str, Any]) -> bool:
    """True if a watcher is what a section of a newly read configuration describes."""
    old = getattr(watcher, "_cfg", None)  # one that was added at run time has none
    new = {**config, "env": parse_env_dict(config["env"])}
    return old is not None and _comparable(new) == _comparable(old)


def changed_keys(watcher: Watcher, config: dict[str, Any]) -> set[str]:
    """The keys of its section in which a newly read configuration differs from a watcher's."""
    new = _comparable({**config, "env": parse_env_dict(config["env"])})
    old = _comparable(getattr(watcher, "_cfg", {}))
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """A watcher's configuration without the variables that `reloadconfig` passes over.

    It takes them out of the one it has, even where it changes nothing.
    """
    env = {key: value for key, value in config.get("env", {}).items() if key not in _ENV_EXCEPTIONS}
    return {**config, "env": env}
