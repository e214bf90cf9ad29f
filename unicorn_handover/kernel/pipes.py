"""Which ends of which pipes a process has open."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from .descriptors import open_links
from .procfs import look_into


@dataclass(frozen=True)
class PipeEnds:
    """Pipes by what /proc/PID/fd calls them, "pipe:[4711]"."""

    read: frozenset[str]
    written: frozenset[str]


def pipe_ends(pid: int) -> PipeEnds | None:
    """The ends that a process has open; None if it is gone or not ours to read."""
    return look_into(pid, lambda: _ends(pid))


def _ends(pid: int) -> PipeEnds:
    read: set[str] = set()
    written: set[str] = set()
    for link, path in open_links(pid):
        if path.startswith("pipe:"):
            with contextlib.suppress(FileNotFoundError):  # closed just now
                rights = os.lstat(link).st_mode  # of the link: those of the open file, proc(5)
                read.update({path} if rights & stat.S_IRUSR else ())
                written.update({path} if rights & stat.S_IWUSR else ())
    return PipeEnds(frozenset(read), frozenset(written))
