"""The driver as a child of a host that starts it itself."""

from __future__ import annotations

import socket
import sys
from typing import Any

from ..kernel.spawn import CannotRun, spawn
from ..model.orders import CHANNEL_FD
from .channel import HostEnd
from .respawn import Respawn
from .side import HostSide, host_end

# `python -m` would search the working directory first, where an application has its modules.
BOOT = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from unicorn_handover.driver.__main__ import main; sys.exit(main())"
)


class DriverProcess:
    """The driver, started again whenever it ends. pid: its number, 0 while there is none."""

    def __init__(self, side: HostSide) -> None:
        self.pid = 0
        self._side = side
        self._respawn = Respawn(side, self.start)

    def start(self) -> None:
        """Start it with its end of a new channel."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, "-c", BOOT, *filter(None, sys.path)]
        self._respawn.started()
        with far:
            try:
                self.pid = spawn(words, {CHANNEL_FD: far.fileno()})
            except CannotRun as error:
                near.close()
                self._respawn.later(str(error))
                return
        host_end(self._side, near, self._hear, self._went)

    def _hear(self, end: HostEnd, message: dict[str, Any]) -> None:
        if "record" in message:
            self._side.take(message["record"])
            return
        self._side.driver_greeted(message.get("driver"))
        self._side.driver_came(end)

    def _went(self, end: HostEnd) -> None:
        self._side.driver_went()
        ended, self.pid = self.pid, 0
        self._respawn.later(f"the driver (pid {ended}) ended")
