"""What /proc shows of a process, even where only its owner may read."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import psutil

from .spare import with_spare

PF_EXITING = 0x4  # include/linux/sched.h: ends, and its /proc/PID/fd is root's by now
PF_FORKNOEXEC = 0x40  # include/linux/sched.h: forked, has not exec'd since
AT_EXECFN = 31  # include/uapi/linux/auxvec.h
AUXILIARY = struct.Struct("@LL")  # an entry of the auxiliary vector
LONGEST_PATH = 4096  # bytes, include/uapi/linux/limits.h

T = TypeVar("T")


@dataclass(frozen=True)
class Stat:
    """Fields of /proc/PID/stat (proc(5)).

    reaped_faults: minor page faults of all children that it has waited for. start: in clock ticks
    since boot.
    """

    state: str
    ppid: int
    pgrp: int
    flags: int
    reaped_faults: int
    start: int

    @property
    def forked_only(self) -> bool:
        """True for a process that has not exec'd since its fork: a worker, not a new master."""
        return bool(self.flags & PF_FORKNOEXEC)

    @property
    def ended(self) -> bool:
        """True from the moment in which a process began to end, also while it is a zombie."""
        return self.state in ("Z", "X") or bool(self.flags & PF_EXITING)


@dataclass(frozen=True)
class SignalMasks:
    """Signals of a process, as /proc/PID/status has them."""

    pending: int
    caught: int
    blocked: int = 0

    def catches(self, number: signal.Signals) -> bool:
        """True if the process has a handler for this signal."""
        return bool(self.caught >> (number - 1) & 1)

    def awaits(self, number: signal.Signals) -> bool:
        """True if this signal was sent to the process and not yet delivered."""
        return bool(self.pending >> (number - 1) & 1)


def read_stat(pid: int) -> Stat | None:
    """Read /proc/PID/stat (proc(5)), or None if there is no such process."""
    text = read_bytes(f"/proc/{pid}/stat")
    # The command name is in parentheses and may itself hold spaces and parentheses.
    fields = text.rpartition(b")")[2].split()
    if len(fields) < 20:
        return None
    ppid, pgrp, flags, reaped_faults, start = (int(fields[n]) for n in (1, 2, 6, 8, 19))
    return Stat(fields[0].decode(), ppid, pgrp, flags, reaped_faults, start)


def ended_with(pid: int, start: int) -> int | None:
    """The wait status of a zombie that was started at `start`; None of any other process.

    Field 52 of /proc/PID/stat (proc(5)), which is 0 for whom the kernel would not let trace it.
    """
    try:
        with eyes_of_owner(pid):
            text = read_bytes(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()
    if len(fields) < 50 or fields[0] != b"Z" or int(fields[19]) != start:
        return None
    return int(fields[49])


def group_of(pid: int) -> int:
    """The process group of a process (getpgid(2)), -1 if it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def bytes_read(pid: int) -> int:
    """`rchar` of /proc/PID/io (proc(5)). Raises OSError; see `look_into`."""
    # As bytes: a text needs a codec, which the owner of the process may not be able to read.
    with open(f"/proc/{pid}/io", "rb") as file:
        counts = dict(line.split(b":") for line in file)
    return int(counts[b"rchar"])


def look_into(pid: int, look: Callable[[], T], denied: bool = False) -> T | None:
    """Return what `look` finds in /proc/PID, None if that is gone or not ours to read.

    In a container root often lacks CAP_SYS_PTRACE and cannot inspect other users' processes,
    but may act as their owner. With `denied`, raises PermissionError if even that does not help.
    """
    for eyes in (contextlib.nullcontext, eyes_of_owner):
        try:
            with eyes(pid):
                return with_spare(look)
        except (psutil.AccessDenied, PermissionError):
            continue
        except (psutil.Error, OSError):
            return None
    found = read_stat(pid)
    if denied and found and not found.ended:
        raise PermissionError(
            f"user {os.geteuid()} cannot inspect pid {pid}; run the host with the capability "
            "CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
        )
    return None


@contextlib.contextmanager
def eyes_of_owner(pid: int) -> Iterator[None]:
    """Access files as the owner of a process does, in this thread alone (setfsuid(2))."""
    libc = ctypes.CDLL(None)
    owner = os.stat(f"/proc/{pid}")
    before = libc.setfsgid(owner.st_gid), libc.setfsuid(owner.st_uid)
    try:
        yield
    finally:
        libc.setfsuid(before[1])
        libc.setfsgid(before[0])


def executed_as(pid: int) -> str:
    """The string at AT_EXECFN of the auxiliary vector, a pointer. Raises OSError."""
    with open(f"/proc/{pid}/auxv", "rb") as file:
        vector = dict(AUXILIARY.iter_unpack(file.read()))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(vector.get(AT_EXECFN, 0))
        return os.fsdecode(memory.read(LONGEST_PATH).partition(b"\0")[0])


def read_maps(pid: int) -> bytes:
    """The content of /proc/PID/maps. Raises OSError."""
    with open(f"/proc/{pid}/maps", "rb") as file:
        return file.read()


def read_bytes(path: str) -> bytes:
    """The content of a file, b"" if it cannot be read."""
    try:
        with with_spare(lambda: open(path, "rb")) as file:
            return file.read()
    except OSError:  # gone, or going: ESRCH can come from the read as well as from the open
        return b""


def list_directory(path: str) -> list[str]:
    """The names in a directory, none if it cannot be read."""
    try:
        return with_spare(lambda: os.listdir(path))
    except OSError:
        return []
