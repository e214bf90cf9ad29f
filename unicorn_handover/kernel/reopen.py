"""A pipe of another process, opened once more: so that it has a reader again."""

from __future__ import annotations

import contextlib
import os

from .getfd import copy_descriptors
from .process import Process
from .procfs import look_into

_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC


def pipe_of(pid: int, number: int) -> str:
    """What names the pipe that a process has as this descriptor, "" if it is none or not ours."""
    found = look_into(pid, lambda: os.readlink(f"/proc/{pid}/fd/{number}")) or ""
    return found if found.startswith("pipe:") else ""


def reopen(owner: Process, number: int, flags: int) -> int:
    """Open what a held process has as descriptor `number` once more, whichever end that is of it.

    The descriptor does not block, is close-on-exec and the caller's to close. Raises OSError.

    /proc/PID/fd is for whom the kernel would let trace it. Its owner's eyes are of no use where the
    pipe itself is root's; a copy of its end is, for that can be opened again as one's own.
    """
    with contextlib.suppress(PermissionError):
        return os.open(f"/proc/{owner.pid}/fd/{number}", flags | _FLAGS)
    copies = copy_descriptors(owner, [number])
    try:
        return os.open(f"/proc/self/fd/{copies[number]}", flags | _FLAGS)
    except KeyError:
        raise FileNotFoundError(2, "it is closed") from None
    finally:
        for copy in copies.values():
            os.close(copy)


def become_own_reader() -> None:
    """In a child that is about to exec: let its standard input read what it writes to its output.

    So its pipe has a reader as long as any of its processes lives. It is opened a second time, not
    copied: ruby makes descriptors 0 to 2 blocking before it execs, and a copy shares that with the
    host's own end, whose loop would hang (measured). Where there is no pipe, nothing changes.
    """
    with contextlib.suppress(OSError):
        if os.readlink("/proc/self/fd/1").startswith("pipe:"):
            reader = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
            os.dup2(reader, 0)
            os.close(reader)
