"""The driver as supervisord's event listener, on the host's end of its channel."""

from __future__ import annotations

import socket
from logging import WARNING
from typing import Any

from supervisor.options import ProcessConfig, make_namespec
from supervisor.process import Subprocess
from supervisor.states import ProcessStates

from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.guard import contained
from unicorn_handover.host.side import HostSide, host_end

from .child import prepare_child_fds
from .loop import PollLoop
from .states import starts_again
from .unmanaged import second_driver

COMING = (ProcessStates.STARTING, ProcessStates.RUNNING, ProcessStates.BACKOFF)


class DriverSubprocess(Subprocess):  # type: ignore[misc]
    """The event listener that drives the handovers. It gets a socket to supervisord as fd 3."""

    def __init__(self, config: ProcessConfig, drivers: Drivers, loop: PollLoop) -> None:
        Subprocess.__init__(self, config)
        self.failed = drivers.side.failed
        self._drivers = drivers
        self._loop = loop
        self._far: socket.socket | None = None
        self._channel: HostEnd | None = None

    def spawn(self) -> int | None:
        """Start the driver with its end of a new channel."""
        self._drivers.side.presence.given_up = False
        near = self._make_channel()
        pid: int | None = Subprocess.spawn(self)
        if self._far:
            self._far.close()
            self._far = None
        if near and pid:
            self._connect(near)
        elif near:
            near.close()
        return pid

    @contained()
    def _make_channel(self) -> socket.socket | None:
        near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return near

    @contained()
    def _connect(self, near: socket.socket) -> None:
        # That the driver has closed its end says nothing: it has gone when it has ended.
        self._channel = host_end(self._drivers.side, near, self._hear, lambda end: None)

    def _prepare_child_fds(self) -> None:
        """In the child: give it the channel, where `CHANNEL_FD` says."""
        prepare_child_fds(self, [self._far.fileno()] if self._far else [])

    def transition(self) -> None:
        """Let this package have its turn of supervisord's loop, then do as Supervisor does."""
        self._loop.turn()
        Subprocess.transition(self)

    def _hear(self, end: HostEnd, message: dict[str, Any]) -> None:
        self._drivers.hear(self, end, message)

    def finish(self, pid: int, sts: int) -> None:
        """Read the last records of the ended driver, then do as Supervisor does."""
        Subprocess.finish(self, pid, sts)
        self._disconnect()
        # The loop would let up to a second pass before it checks this process again, and a soak
        # whose new master dies now has nobody to bring the old workers back.
        self.transition()

    def give_up(self) -> None:
        """Let those who wait for a driver hear at once that none will come: it is FATAL."""
        Subprocess.give_up(self)
        self._drivers.side.presence.given_up = not self._drivers.will_come

    @contained()
    def _disconnect(self) -> None:
        channel, self._channel = self._channel, None
        if channel:
            channel.read_rest()
            channel.close()
        self._drivers.ended(self)

    @property
    def namespec(self) -> str:
        """The name supervisorctl knows this process by."""
        return str(make_namespec(self.group.config.name, self.config.name))

    @property
    def will_come(self) -> bool:
        """True if it is there, or Supervisor is about to start it."""
        return self.state in COMING or starts_again(self)


class Drivers:
    """All such listeners of one supervisord, of which the first that greets is the driver."""

    def __init__(self, side: HostSide) -> None:
        self.side = side
        self.log = side.log
        self._all: list[DriverSubprocess] = []
        self._driver: DriverSubprocess | None = None

    def make(self, config: ProcessConfig, loop: PollLoop) -> DriverSubprocess:
        """Return a new listener, one of these."""
        self._all.append(DriverSubprocess(config, self, loop))
        return self._all[-1]

    def forget(self, group: str) -> None:
        """Drop those of a group that was removed."""
        self._all = [driver for driver in self._all if driver.group.config.name != group]

    def include(self, process: Subprocess) -> bool:
        """True if a process is one of these."""
        # Not `in`: Supervisor compares subprocesses by their priorities.
        return any(process is driver for driver in self._all)

    @property
    def exist(self) -> bool:
        """True if there is one, whether or not it runs."""
        return bool(self._all)

    @property
    def will_come(self) -> bool:
        """True if a driver is there, or Supervisor is about to start one."""
        return any(driver.will_come for driver in self._all)

    def hear(self, driver: DriverSubprocess, end: HostEnd, message: dict[str, Any]) -> None:
        """Take a message from a driver: that it is there, or a record."""
        if "record" in message:
            self.side.take(message["record"])
        elif self._driver is not None and self._driver is not driver:
            self.side.log(WARNING, second_driver(driver, self._driver))
        else:
            self._driver = driver
            self.side.driver_came(end)
            self.side.driver_greeted(message.get("driver"))

    def ended(self, driver: DriverSubprocess) -> None:
        """Note that a driver ended."""
        if driver is self._driver:
            self._driver = None
            self.side.driver_went()

    def why_none(self) -> str:
        """Why there is no driver, or none that answers, and what to do."""
        if not self._all:
            return (
                "there is no [eventlistener:unicorn_handover]; `supervisor_unicorn --echo-conf` "
                "prints it"
            )
        name = self._all[0].namespec
        if self.side.presence.is_there:
            return f"the driver {name} does not answer; `supervisorctl restart {name}`"
        return f"the driver {name} is not running; see its log, then `supervisorctl start {name}`"
