"""Which children of a gunicorn master are its workers, and which of those are in the accept loop.

Class and method names are those of gunicorn's source.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from signal import SIGABRT, SIGHUP, SIGTERM, SIGUSR1

from ..kernel.files import KeptFile
from ..kernel.system import System
from .base import Proof

NAME = "/wgunicorn-"  # in the path of each heartbeat file
PERMISSIONS = 0o777  # mkstemp gives 0600 less cfg.umask


def workers_among(system: System, master: int, forks: Sequence[int]) -> dict[int, bool]:
    """Return those of a master's `forks`, the eldest first, that are workers: True if ready.

    A worker is a heartbeat file (WorkerTmp): the master opens one before it forks each worker, has
    it for as long as it takes that worker for its own, and checks nothing else. The worker has
    the same file, and closes those of its siblings first thing (Arbiter.spawn_worker).
    """
    return {pid: beats for pid, (_, beats) in _owned(system, master, forks).items()}


class Heartbeat(Proof):
    """One worker's file, which keeps its beats when master and worker have closed it."""

    def __init__(self, system: System, file: KeptFile) -> None:
        self._system = system
        self._file = file

    def holds(self) -> bool:
        """True if there was a beat."""
        return _has_beat(self._system, self._file.status())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def heartbeat_of(system: System, master: int, forks: Sequence[int], worker: int) -> Proof | None:
    """Hold the file of one of a master's workers."""
    owned = _owned(system, master, forks).get(worker)
    file = system.keep_file(master, NAME, owned[0]) if owned else None
    return Heartbeat(system, file) if file else None


def _owned(
    system: System, master: int, forks: Sequence[int]
) -> dict[int, tuple[tuple[int, int], bool]]:
    """The file of each worker, and whether it has a beat.

    A master that was forked by a host which has changed its user, as supervisord has by its own
    `user`, is nobody's to look into until its exec (PR_SET_DUMPABLE(2const)); nor has it forked.
    """
    if not forks:
        return {}
    theirs = {pid: heartbeats(system, pid) for pid in forks}
    found = {}
    for file, beats in heartbeats(system, master).items():
        holders = [pid for pid in reversed(forks) if file in theirs[pid]]
        if holders:
            worker = min(holders, key=lambda pid: (len(theirs[pid]), not _traps_abort(system, pid)))
            found[worker] = file, beats
    return found


def is_orphaned_worker(system: System, pid: int) -> bool:
    """True for a worker whose master is dead: it has a heartbeat file and a worker's handlers."""
    try:
        has_heartbeat = bool(heartbeats(system, pid))
    except PermissionError:
        return False
    return has_heartbeat and (_traps_abort(system, pid) or _is_of_uvicorn(system, pid))


def _is_of_uvicorn(system: System, pid: int) -> bool:
    """True for a worker of uvicorn: UvicornWorker.init_signals keeps none of the master's handlers.

    It never looks for its master, so it would serve on for ever (measured with uvicorn 0.54).
    """
    masks = system.signal_masks(pid)
    own, of_a_master = (SIGTERM, SIGUSR1), SIGHUP
    return masks is not None and all(map(masks.catches, own)) and not masks.catches(of_a_master)


def heartbeats(system: System, pid: int) -> dict[tuple[int, int], bool]:
    """The heartbeat files that a process has, by device and inode, and whether each has a beat.

    Raises PermissionError if this user may not read it.
    """
    files = system.open_files(pid, NAME)
    return {(file.st_dev, file.st_ino): _has_beat(system, file) for file in files}


def _has_beat(system: System, file: os.stat_result) -> bool:
    """True once a worker's loop has beaten (WorkerTmp.notify).

    From gunicorn 22 on a beat sets the file's time to CLOCK_MONOTONIC's, which is far behind the
    wall clock's. Before that it sets the mode, to 0 and 1 in turn.
    """
    return (file.st_mode & PERMISSIONS) in (0, 1) or file.st_mtime <= system.clock() + 1


def _traps_abort(system: System, pid: int) -> bool:
    """True for a worker (Worker.init_signals), and not for what the master has forked besides."""
    masks = system.signal_masks(pid)
    return masks is not None and masks.catches(SIGABRT)
