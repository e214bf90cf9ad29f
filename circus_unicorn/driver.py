"""The driver as seen by circusd: the plugin's watcher, and the channel to its process."""

from __future__ import annotations

import socket
from typing import Any

from circus import logger
from circus.exc import MessageError

from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.presence import DRIVER_GRACE
from unicorn_handover.host.side import HostSide, host_end

from .circusd import Circusd
from .plugin import NAME, peer
from .selection import PLUGIN, Selection, names_plugin


class Driver:
    """The driver of one circusd. pid: its connected process, 0 if there is none."""

    def __init__(self, side: HostSide, circusd: Circusd, selection: Selection) -> None:
        self.pid = 0
        self._side = side
        self._circusd = circusd
        self._selection = selection
        self._end: HostEnd | None = None
        self._start_from = 0.0  # on the clock

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
        if not self.is_ours(pid):
            channel.close()
            logger.warning(f"pid {pid} is turned away: it is not the plugin that circusd started")
            raise MessageError(f"pid {pid} is not the plugin that circusd started")
        self._disconnect()
        self.pid = pid
        self._end = host_end(self._side, channel, self._hear, self._went)
        self._side.driver_came(self._end)
        # Not before, or callers that wait for a driver would get the error that there is none.
        self._circusd.look()

    def is_ours(self, pid: int) -> bool:
        """True for a process of the plugin's watcher."""
        if any(pid in plugin.processes for plugin in self._selection.plugins()[:1]):
            return True
        # The watcher of a plugin that `reloadconfig` has started is not there before its end.
        system = self._side.system
        return (
            self._circusd.reads_config
            and pid in system.own_children()
            and names_plugin(system.command_line(pid))
        )

    def _hear(self, end: HostEnd, message: dict[str, Any]) -> None:
        if "record" in message:
            self._side.take(message["record"])
        else:
            self._side.driver_greeted(message.get("driver"))

    def _went(self, end: HostEnd) -> None:
        if end is not self._end:
            return
        pid, now = self.pid, self._side.system.clock()
        self._disconnect()
        self._side.loop.after(DRIVER_GRACE, self._side.tick)
        # Not more often than Circus checks: a driver that crashes must not become a loop.
        if now >= self._start_from:
            self._start_from = now + self._circusd.check_delay
            self._start_after(pid)

    def _start_after(self, pid: int) -> None:
        """Have Circus start the plugin again as soon as it has ended, not at its next check.

        It may have died together with a new master in its soak: then nobody answers until another
        driver brings the old workers back.
        """
        held, loop = self._side.system.hold(pid), self._side.loop
        if held is None:
            self._start()
            return

        def ended() -> None:
            loop.unwatch(held.fileno())
            held.close()
            self._start()

        loop.watch(held.fileno(), ended)

    def _start(self) -> None:
        plugin = self._selection.plugin
        if plugin is not None and self.will_come and self._circusd.is_idle:
            self._circusd.soon(plugin.manage_processes)

    def _disconnect(self) -> None:
        end, self._end, self.pid = self._end, None, 0
        if end:
            end.close()
            self._side.driver_went()

    @property
    def will_come(self) -> bool:
        """True if the driver is there, or Circus is about to start one."""
        plugin = self._selection.plugin
        if plugin is None:
            return False
        starting = plugin.autostart and self._circusd.starts_watchers
        return starting or not (plugin.is_stopped() or plugin.is_stopping())

    def why_none(self) -> str:
        """Why there is no driver, or none that answers, and what to do."""
        if self._selection.plugin is None:
            return f"there is no plugin that uses {PLUGIN}; add it to circusd's configuration"
        name = self._selection.plugin.name
        if self.pid:
            return f"the driver {name} does not answer; `circusctl restart {name}`"
        return (
            f"the driver {name} is not running; `circusctl start {name}`, and set logoutput in "
            "[circus] to see why it ends"
        )
