"""The door: how the host side gets into circusd."""

from __future__ import annotations

import atexit
import signal
from typing import TYPE_CHECKING, Any

from circus.sighandler import SysHandler

from unicorn_handover.kernel.system import System

if TYPE_CHECKING:
    from .host import Host

_host: Host | None = None  # of this process; it outlives the arbiters, of which a restart makes one


def enter_circusd() -> None:
    """Make a host side for circusd's arbiter, if this process is circusd. May be called again."""
    global _host
    arbiter = _arbiter()
    if arbiter is None or (_host and _host.arbiter is arbiter):
        return
    if _host is None:
        # Here, because the plugin's process asks as well, and carries the driver alone.
        from .host import Host

        _host = Host(System())
        atexit.register(_host.circusd_ends)
    _host.arbiter = arbiter
    _host.loop.tornado = arbiter.loop
    # The arbiter is being made right now: its watchers are all there when its loop runs.
    arbiter.loop.add_callback(_host.take_over)


def _arbiter() -> Any:
    """The arbiter that this process's signal handlers serve, None where there is none."""
    for number in SysHandler.SIGNALS:
        owner = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(owner, SysHandler):
            return owner.controller.arbiter
    return None
