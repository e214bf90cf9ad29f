"""Kills a master with all that it has forked: a stuck worker would outlive its master."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Server, orphan_ends_by
from .members import deserted_workers, forked_by


def kill_with_workers(system: System, master: Process) -> None:
    """Kill a held master, and its workers.

    It is stopped first: it would fork others while they are listed, and replace those killed.
    """
    master.signal(SIGSTOP)
    try:
        workers = forked_by(system, master.pid)
    finally:
        master.signal(SIGKILL)
    signal_all(workers, SIGKILL)


def kill_booting(system: System, workers: Sequence[Process], server: Server) -> None:
    """Kill workers that are not ready, and close them.

    Each is stopped before that is asked for good: one that has become ready meanwhile serves, and
    goes on. One that has become another user's was not stopped either.
    """
    for worker in workers:
        with contextlib.suppress(PermissionError):
            worker.signal(SIGSTOP)
    for worker in workers:
        with contextlib.suppress(PermissionError):
            worker.signal(SIGKILL if _boots(system, worker, server) else SIGCONT)
        worker.close()


def _boots(system: System, worker: Process, server: Server) -> bool:
    try:
        return server.is_booting(system, worker.pid)
    except PermissionError:  # it has become another user's meanwhile; none may be left stopped
        return False


def end_deserted(system: System, group: int, since: int) -> None:
    """Send a dead master's workers in a group, which would serve on, their signal to end.

    They were started after `since`, and finish their requests. One that has become another user's
    is not signalled.
    """
    for worker in deserted_workers(system, group):
        signum = orphan_ends_by(system, worker.pid) if worker.start >= since else None
        with contextlib.suppress(PermissionError):
            if signum:
                worker.signal(signum)
        worker.close()


def signal_all(workers: Iterable[Process], signum: Signals) -> None:
    """Send a signal to each of these, and close them.

    Raises PermissionError, after the last one, if one of them may not be signalled.
    """
    refusal = None
    for worker in workers:
        try:
            worker.signal(signum)
        except PermissionError as why:
            refusal = why
        worker.close()
    if refusal:
        raise refusal
