"""Which children of a unicorn master are its workers, and which of those are in the accept loop.

Class and method names are those of unicorn's source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from signal import SIGUSR1, SIGWINCH

from ..kernel.pipes import PipeEnds
from ..kernel.system import System
from .base import title


def has_worker_title(system: System, pid: int) -> bool:
    """True if a process has the title that #init_worker_process writes."""
    return re.match(r"\S+ worker\[\d+\]", title(system, pid)) is not None


def workers_among(
    system: System, master: int, forks: Sequence[int], is_named: Callable[[int], bool]
) -> list[int]:
    """Those of a master's `forks`, the eldest first, that are workers.

    A worker has its title or was exec'd as one, or else it is the one that has the end of a pipe by
    which its master signals it (Worker#soft_kill). `is_named` says whether a process has the
    command line or the title of a unicorn.

    A child that an app or a hook has forked has no title, and a pipe at most by inheritance: then
    it has both ends, for the master opens a worker's pipe before `before_fork`. A worker has both
    from its fork until it writes its title.
    """
    sure = [pid for pid in forks if _is_surely_one(system, pid)]
    if len(sure) == len(forks):
        return sure
    ours, theirs = system.pipe_ends(master), {pid: system.pipe_ends(pid) for pid in forks}
    if ours is None or None in theirs.values():
        return list(forks)  # what cannot be seen is taken for a worker
    found = set(sure)
    for pipe in ours.written - ours.read:
        readers = [pid for pid in forks if pipe in _ends(theirs[pid]).read]
        own = [pid for pid in readers if pipe not in _ends(theirs[pid]).written]
        fresh = [pid for pid in readers if pid not in own]
        if not found.intersection(own):
            found.update([pid for pid in own if not is_named(pid)] or fresh[-1:])
    return [pid for pid in forks if pid in found]


def _is_surely_one(system: System, pid: int) -> bool:
    stat = system.stat(pid)
    return has_worker_title(system, pid) or (stat is not None and not stat.forked_only)


def _ends(ends: PipeEnds | None) -> PipeEnds:
    return ends or PipeEnds(frozenset(), frozenset())


def tick_pages(system: System, master: int) -> list[int]:
    """Where the master has the ticks of its workers: Worker::DROPS, memory that all of them share.

    The master itself zeroes a tick before each fork (Worker#initialize). Where that does not show,
    what a worker does to its own would not show either.
    """
    return [page for page in system.shared_pages(master) if system.has_touched(master, page)]


def is_in_loop(system: System, pid: int, pages: Sequence[int]) -> bool:
    """True once a forked worker has written its tick, which #worker_loop does before each accept.

    Nothing else in unicorn uses a tick from inside a worker. Where the kernel does not show it, the
    signal masks must do.
    """
    touched = [system.has_touched(pid, page) for page in pages]
    if True in touched:
        return True
    unknown = not touched or None in touched
    return unknown and masks_say_ready(system, pid)


def exec_worker_is_in_loop(system: System, pid: int) -> bool:
    """True once a worker of `worker_exec` has a tick: the time on CLOCK_MONOTONIC in seconds.

    It has zeroed the ticks itself, so that it used their page says nothing. Where its memory is not
    ours to read, the signal masks must do; but a starting ruby traps USR1 as well, and a worker
    ignores it when it writes its title.
    """
    words = [word for page in system.shared_pages(pid) for word in system.words_at(pid, page)]
    if not words:
        return title(system, pid) != "" and masks_say_ready(system, pid)
    stat, now = system.stat(pid), system.clock()
    return stat is not None and any(
        word <= now and system.ticks(word + 1) >= stat.start for word in words
    )


def masks_say_ready(system: System, pid: int) -> bool:
    """True if a worker traps USR1, which it ignores while its app loads, and traps in its loop.

    Right after the fork it still has the master's handlers, WINCH's among them. An app that traps
    one of the two itself makes this wrong.
    """
    masks = system.signal_masks(pid)
    return masks is not None and masks.catches(SIGUSR1) and not masks.catches(SIGWINCH)
