"""The plugin's own watcher."""

from __future__ import annotations

from typing import Any

from circus.watcher import Watcher

from .circusd import Circusd
from .coroutines import Steps, coroutine
from .restarts import Restarts


class PluginWatcher(Watcher):  # type: ignore[misc]
    """Circus's regular check of the plugin is our check of all watchers.

    It is not stopped in the restart of several watchers: their handovers need it.
    """

    _circusd: Circusd
    _restarts: Restarts

    @classmethod
    def manage(cls, watcher: Watcher, circusd: Circusd, restarts: Restarts) -> None:
        """Make the plugin's watcher one of this kind."""
        watcher.__class__ = cls
        watcher._circusd, watcher._restarts = circusd, restarts

    def manage_processes(self) -> Any:
        """Manage added watchers, then do as Circus does."""
        self._circusd.checks()
        return super().manage_processes()

    @coroutine
    def _stop(self, close_output_streams: bool = False) -> Steps:
        if not self._restarts.stops_first:
            yield super()._stop(close_output_streams)

    @coroutine
    def _restart(self) -> Steps:
        yield super()._stop()
        yield self._start()
