"""A few descriptors that a host keeps for the moment in which it has no other left.

What it could not open then would look like a process that is gone, and a living master would be
given up (EMFILE and ENFILE of pidfd_open(2) and open(2)).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeVar

from .descriptors import is_same

NAME = "unicorn-handover-spare"
USED_UP = (errno.EMFILE, errno.ENFILE)
COUNT = 16  # for an adoption: the new master, what the old one has left, and a file in /proc

T = TypeVar("T")

_files: dict[int, os.stat_result] = {}  # empty ones, by their numbers; none before `keep_spare`


def keep_spare() -> bool:
    """Have as many in reserve as are to be had; False if none is left beside them.

    To be called often, and by a host alone.
    """
    for number, status in list(_files.items()):
        if not is_same(number, status):
            del _files[number]
    try:
        while len(_files) < COUNT:
            number = os.memfd_create(NAME)
            _files[number] = os.fstat(number)
        os.close(os.memfd_create(NAME))
    except OSError as error:
        return error.errno not in USED_UP
    return True


def with_spare(act: Callable[[], T]) -> T:
    """Return what `act` does, which opens descriptors; with the reserve if no other is left.

    Raises OSError.
    """
    try:
        return act()
    except OSError as error:
        if error.errno not in USED_UP or not _give_up():
            raise
    try:
        return act()
    finally:
        keep_spare()


def _give_up() -> bool:
    """Close the reserve; False if there is none."""
    had = bool(_files)
    while _files:
        number, status = _files.popitem()
        if is_same(number, status):
            os.close(number)
    return had
