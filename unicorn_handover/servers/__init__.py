"""One file for each server: its signals, its proofs, and the sources of its facts."""

from __future__ import annotations

from collections.abc import Sequence
from signal import Signals

from ..kernel.system import System
from .base import ADD_WORKER, DROP_WORKER, RE_EXEC, Addresses, Proof, Server
from .configured import Configured, Need, NeedKind
from .gunicorn import Gunicorn
from .launch import Launch, words_of
from .nginx import Nginx
from .unicorn import Unicorn

SERVERS: dict[str, Server] = {server.name: server for server in (Unicorn(), Gunicorn(), Nginx())}

__all__ = [
    "ADD_WORKER",
    "DROP_WORKER",
    "RE_EXEC",
    "SERVERS",
    "Addresses",
    "Configured",
    "Launch",
    "Need",
    "NeedKind",
    "Proof",
    "Server",
    "handlers_installed",
    "has_ready_worker",
    "is_any_successor",
    "is_forked",
    "orphan_ends_by",
    "recognise",
    "server_of",
    "words_of",
]


def server_of(system: System, master: int, option: str) -> Server | None:
    """Return the server that the option names or, if it is "auto", the one that the master runs."""
    return SERVERS.get(option) or recognise(system.command_line(master))


def recognise(argv: Sequence[str]) -> Server | None:
    """Return the server whose master has this command line, or None."""
    # nginx first: it is known by the first word, and among the others may be a unicorn's name.
    return next((server for server in (*SERVERS.values(),)[::-1] if server.is_master(argv)), None)


def handlers_installed(system: System, pid: int) -> bool:
    """True if a process has the signal handlers of some server's master."""
    return any(server.has_handlers(system, pid) for server in SERVERS.values())


def has_ready_worker(system: System, master: int) -> bool:
    """True if a worker of a master is in its accept loop, by the proof of whatever server it is."""
    known = recognise(system.command_line(master))
    servers = [known] if known else SERVERS.values()
    return any(any(server.workers(system, master).values()) for server in servers)


def orphan_ends_by(system: System, pid: int) -> Signals | None:
    """The signal that a dead master's worker needs to end after its requests, or None."""
    found = (server.orphan_ends_by(system, pid) for server in SERVERS.values())
    return next((signum for signum in found if signum), None)


def is_any_successor(system: System, pid: int, old: int) -> bool:
    """True if `pid` is, by any server's proof, the new master that the master `old` re-executed."""
    return any(server.is_successor(system, pid, old) for server in SERVERS.values())


def is_forked(system: System, pid: int) -> bool:
    """True for any server's worker: forked and never exec'd, or exec'd as a worker."""
    return any(server.is_forked(system, pid) for server in SERVERS.values())
