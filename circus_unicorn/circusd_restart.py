"""What outlives circusd's own restart, `circusctl restart` without a name: a managed program.

Circus stops all watchers, and makes another arbiter with new ones from its configuration. A program
of which nothing was changed runs on meanwhile, and is handed over then: a restart was asked for.
The watchers here are managed ones, `ManagedWatcher`.
"""

from __future__ import annotations

import signal
from typing import Any

from circus.watcher import Watcher

from unicorn_handover.host.guard import contained
from unicorn_handover.host.side import HostSide
from unicorn_handover.model.options import names_in

from .circusd import Circusd, is_configured_by
from .coroutines import Steps, coroutine
from .process import ManagedProcess
from .selection import names_plugin


def survives(watcher: Watcher, circusd: Circusd) -> bool:
    """True if circusd is about to restart itself and its configuration keeps this watcher."""
    if not circusd.restarts_itself or not watcher.can_be_handed_over:
        return False
    # Sockets are Circus's own, and end with it.
    if watcher.use_sockets or len(watcher.processes) != 1:
        return False
    try:
        config = circusd.read_config()
        new = next(c for c in config["watchers"] if c["name"] == watcher.name)
        plugin = next(c for c in config["plugins"] if names_plugin([c.get("use", "")]))
        listed = names_in(plugin.get("watchers", "").lower())
        same = watcher.program.survival.left or is_configured_by(watcher, new)
        return watcher.program.name in listed and same
    except (Exception, SystemExit):  # of a file that may be anything by now
        return False


class Survivors:
    """The watchers of the arbiter before, each with the process that it left, if any."""

    def __init__(self, side: HostSide, circusd: Circusd, left: dict[str, Any]) -> None:
        self.failed = side.failed
        self._side = side
        self._circusd = circusd
        self._left = left

    def place(self, there: dict[str, Any]) -> None:
        """Put each program under the new watcher of the same name, or end it."""
        for name, left in self._left.items():
            self._place(left, there.get(name))

    @contained()
    def _place(self, left: Watcher, same: Watcher | None) -> None:
        if left.processes and same is not None and same.autostart:
            _inherit(same, left)
            if not same.program.survival.left:
                self._circusd.soon(same.hand_over)
            same.program.survival.left = False
        else:
            self._circusd.soon(self._end, left)

    @coroutine
    def _end(self, left: Watcher) -> Steps:
        left.runs_on = False
        if left.processes:
            yield left.end(close_output_streams=True)
        if left.program.supervised is left:  # no other watcher has taken it
            self._side.forget(left.program.name, "the watcher was removed")


def _inherit(watcher: Watcher, old: Watcher) -> None:
    """Go on with the process that the same watcher left before circusd's restart."""
    left = leave(old)
    # Circus may have started one already, this very moment: it cannot listen yet.
    for process in watcher.processes.values():
        process.let_go()
        if watcher.stream_redirector:
            watcher.stream_redirector.remove_redirections(process)
        process.send_signal(signal.SIGKILL)
    watcher.processes = {left.pid: left}
    left.watcher = watcher
    left.hold()
    watcher.redirect()


def leave(watcher: Watcher) -> ManagedProcess:
    """Release everything of this watcher; the program keeps running."""
    left: ManagedProcess
    (left,) = watcher.processes.values()
    watcher.drain()
    left.let_go()
    if watcher.stream_redirector:
        watcher.stream_redirector.stop()
    for stream in (watcher.stdout_stream, watcher.stderr_stream):
        if hasattr(stream, "close"):
            stream.close()
    watcher.processes, watcher.runs_on = {}, False
    return left


def end_for_good(watcher: Watcher) -> None:
    """Stop a program that was to keep running, because circusd ends instead of restarting."""
    process = watcher.process if watcher.runs_on or watcher.is_stopped() else None
    if process:
        process.master.end(process.all_masters(), watcher.stop_signal)
