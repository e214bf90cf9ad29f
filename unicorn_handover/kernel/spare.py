"""A few descriptors that a host keeps for the moment in which it has no other left.

What it could not open then would look like a process that is gone, and a living master would be
given up (EMFILE and ENFILE of pidfd_open(2) and open(2)).
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Callable
from typing import TypeVar

from .descriptors import is_same

COUNT = 16  # for an adoption: the new master, what the old one has left, and a file in /proc

T = TypeVar("T")

_files: dict[int, os.stat_result] = {}  # empty ones, by their numbers; none before `keep_spare`
_short_of: list[int] = []  # the limit of which none was left since `was_short`


def keep_spare() -> None:
    """Have as many in reserve as are to be had. To be called often, and by a host alone."""
    for number, status in list(_files.items()):
        if not is_same(number, status):
            del _files[number]
    with contextlib.suppress(OSError):
        while len(_files) < COUNT:
            number = os.memfd_create("unicorn-handover-spare")
            _files[number] = os.fstat(number)


def with_spare(act: Callable[[], T]) -> T:
    """Return what `act` does, which opens descriptors; with the reserve if no other is left.

    Raises OSError.
    """
    try:
        return act()
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE) or not _give_up():
            raise
    try:
        return act()
    finally:
        keep_spare()


def was_short() -> int:
    """The limit of which this process had no descriptor left since the last call, or 0."""
    return _short_of.pop() if _short_of else 0


def _give_up() -> bool:
    """Close the reserve; False if there is none."""
    _short_of[:] = [resource.getrlimit(resource.RLIMIT_NOFILE)[0]]
    had = bool(_files)
    while _files:
        number, status = _files.popitem()
        if is_same(number, status):
            os.close(number)
    return had
