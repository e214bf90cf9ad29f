"""The sockets that a master serves on, copied for the master that is to take its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..errors import Refused
from ..kernel.listeners import Listener
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Server


def copy_served(
    system: System, master: Process, server: Server, numbers: Collection[int] = ()
) -> list[Listener]:
    """Copy the listeners of a master on which it serves; the caller closes the copies.

    `numbers` are those of all its listeners, if that is known, which saves the search for them.
    Raises Refused, with the reason, if another master cannot serve on them.
    """
    try:
        found = system.listeners(master, numbers)
    except PermissionError as error:
        raise Refused(str(error)) from error
    try:
        own = server.own_listeners(system, master.pid, found)
        _refuse_unfit(master, server, own)
    except BaseException:
        close_all(found)
        raise
    close_all(listener for listener in found if listener not in own)
    return own


def listening_numbers(system: System, master: Process) -> tuple[int, ...]:
    """The descriptors of a master that listen, none if this process may not see that.

    Among 2,000 open files they are found in 15 ms: a driver may take that long, a host may not.
    """
    try:
        found = system.listeners(master)
    except PermissionError:  # such as Yama's: the host is an ancestor, and may
        return ()
    close_all(found)
    return tuple(listener.number for listener in found)


def close_all(listeners: Iterable[Listener]) -> None:
    """Close copies."""
    for listener in listeners:
        listener.close()


def _refuse_unfit(master: Process, server: Server, own: list[Listener]) -> None:
    if not own:
        raise Refused(
            f"pid {master.pid}, a master of {server.name}, has no listening socket that a new "
            "master could take (reuse_port leaves them to the workers)"
        )
    for listener in own:
        # A copy that nobody accepts on would go on getting its share of the connections.
        if listener.reuse_port:
            raise Refused(
                f"{listener.name} of pid {master.pid} has SO_REUSEPORT, so a copy of it would take "
                "connections that nobody accepts; listen without reuse_port"
            )
