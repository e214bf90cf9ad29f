"""The door: how the host side gets into circusd, and what is put together there."""

from __future__ import annotations

import atexit
import signal
from typing import TYPE_CHECKING, Any

from circus.sighandler import SysHandler

from unicorn_handover.kernel.system import System

if TYPE_CHECKING:
    from .host import CircusSide

_side: CircusSide | None = None  # of this process; a restart of circusd makes another arbiter


def enter_circusd() -> None:
    """Make a host side for circusd's arbiter, if this process is circusd. May be called again."""
    global _side
    arbiter = _arbiter()
    if arbiter is None or (_side and _side.circusd.arbiter is arbiter):
        return
    # Here, because the plugin's process asks as well, and carries the driver alone.
    from .controller import install
    from .host import CircusSide

    if _side is None:
        _side = CircusSide(System())
        atexit.register(_side.circusd_ends)
    _side.enter(arbiter, install)


def _arbiter() -> Any:
    """The arbiter that this process's signal handlers serve, None where there is none."""
    for number in SysHandler.SIGNALS:
        owner = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(owner, SysHandler):
            return owner.controller.arbiter
    return None
