"""All that the kernel gives: the clock, pidfds, /proc and prctl. Tests replace this whole."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import psutil

PF_EXITING = 0x4  # include/linux/sched.h: ends, and its /proc/PID/fd is root's by now
PF_FORKNOEXEC = 0x40  # include/linux/sched.h: forked, has not exec'd since
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


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
    """Pending, ignored and caught signals of a process, as /proc/PID/status has them."""

    pending: int
    ignored: int
    caught: int

    def catches(self, number: signal.Signals) -> bool:
        """True if the process has a handler for this signal."""
        return bool(self.caught >> (number - 1) & 1)

    def awaits(self, number: signal.Signals) -> bool:
        """True if this signal was sent to the process and not yet delivered."""
        return bool(self.pending >> (number - 1) & 1)


class Process:
    """One process, held by a pidfd: (pid, start time) never names another one.

    The descriptor is close-on-exec, becomes readable when the process exits, and is given back by
    `close`.
    """

    def __init__(self, pid: int, start: int, pidfd: int) -> None:
        self.pid = pid
        self.start = start
        self._pidfd = pidfd

    def fileno(self) -> int:
        """Return the pidfd, or -1 after `close`."""
        return self._pidfd

    def alive(self) -> bool:
        """True until the process has exited (a zombie is not alive)."""
        return self._pidfd >= 0 and not readable(self._pidfd)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to exactly this process; False if it is gone.

        Raises PermissionError if this user may not signal it.
        """
        if self._pidfd < 0:
            return False
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            user = os.geteuid()
            raise PermissionError(f"user {user} may not signal pid {self.pid}") from None
        return True

    def close(self) -> None:
        """Give the pidfd back. May be called twice."""
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)

    def __repr__(self) -> str:
        return f"<Process {self.pid}@{self.start}>"


class System:
    """The running kernel. Nothing here blocks; what is gone is None or empty, never an error."""

    def clock(self) -> float:
        """Seconds of CLOCK_MONOTONIC, which all processes of the machine share."""
        return time.monotonic()

    def ticks(self, at: float) -> int:
        """Turn a reading of `clock` into a process start time: clock ticks since boot."""
        since_boot = at + time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        return int(since_boot * os.sysconf("SC_CLK_TCK"))

    def unfit(self) -> str:
        """Why no process can be held here, or ""."""
        if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
            return "this Python was built without pidfd_open; use one that was built on Linux 5.3"
        try:
            os.close(os.pidfd_open(os.getpid()))
        except OSError as error:
            return f"pidfd_open is refused ({error}); allow it, on Linux 5.3 or newer"
        return ""

    def hold(self, pid: int, start: int | None = None) -> Process | None:
        """Hold a living process by a pidfd; None if it is gone or was not started at `start`."""
        try:
            pidfd = os.pidfd_open(pid)
        except (OSError, ValueError):
            return None
        found = self.stat(pid)
        # Read after the open: while the pidfd is not readable, the number cannot have been reused.
        if found is None or (start is not None and found.start != start) or readable(pidfd):
            os.close(pidfd)
            return None
        return Process(pid, found.start, pidfd)

    def stat(self, pid: int) -> Stat | None:
        """Read /proc/PID/stat, or None if there is no such process."""
        return _stat(pid)

    def parent(self) -> int:
        """The pid of this process's own parent."""
        return os.getppid()

    def children(self, pid: int) -> list[int]:
        """The pids of the living and unreaped children of all threads of a process."""
        pids: list[int] = []
        for thread in _listdir(f"/proc/{pid}/task"):
            pids += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
        return pids

    def signal_masks(self, pid: int) -> SignalMasks | None:
        """Read the signal masks of a process, or None if it is gone."""
        masks = {}
        for line in _read(f"/proc/{pid}/status").splitlines():
            key, _, value = line.partition(b":")
            if key in (b"ShdPnd", b"SigIgn", b"SigCgt"):
                masks[key] = int(value, 16)
        if len(masks) < 3:
            return None
        return SignalMasks(masks[b"ShdPnd"], masks[b"SigIgn"], masks[b"SigCgt"])

    def command_line(self, pid: int) -> list[str]:
        """The words of the command line as it is now; servers write their title over it."""
        return _read(f"/proc/{pid}/cmdline").decode("utf-8", "replace").rstrip("\0").split("\0")

    def environ(self, pid: int) -> dict[str, str]:
        """The environment a process was exec'd with; empty if gone or not ours to read."""
        return look_into(pid, lambda: psutil.Process(pid).environ()) or {}

    def executable(self, pid: int) -> str:
        """The path of the running executable, whether or not a file is still there."""
        return look_into(pid, lambda: psutil.Process(pid).exe()) or ""

    def working_directory(self, pid: int) -> str:
        """The path of the working directory, whether or not it is still there."""
        return look_into(pid, lambda: psutil.Process(pid).cwd()) or ""

    def text_of(self, path: str) -> str:
        """The text of a small file, "" if it cannot be read."""
        return _read(path).decode("utf-8", "replace")

    def is_socket(self, pid: int, descriptor: int) -> bool:
        """True if this open descriptor of a process is a socket."""
        found = look_into(pid, lambda: os.stat(f"/proc/{pid}/fd/{descriptor}"))
        return found is not None and stat.S_ISSOCK(found.st_mode)

    def open_files(self, pid: int, name_part: str) -> list[os.stat_result]:
        """The status of each open file, deleted or not, whose path holds `name_part`.

        Raises PermissionError if this user may not look.
        """
        return look_into(pid, lambda: _open_files(pid, name_part), denied=True) or []

    def become_subreaper(self) -> None:
        """Make this process the parent of its orphaned descendants. Raises OSError if refused.

        The flag is not inherited over fork and is kept over exec (prctl(2)).
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _stat(pid: int) -> Stat | None:
    text = _read(f"/proc/{pid}/stat")
    # The command name is in parentheses and may itself hold spaces and parentheses.
    fields = text.rpartition(b")")[2].split()
    if len(fields) < 20:
        return None
    ppid, pgrp, flags, reaped_faults, start = (int(fields[n]) for n in (1, 2, 6, 8, 19))
    return Stat(fields[0].decode(), ppid, pgrp, flags, reaped_faults, start)


T = TypeVar("T")


def look_into(pid: int, look: Callable[[], T], denied: bool = False) -> T | None:
    """Return what `look` finds in /proc/PID, None if that is gone or not ours to read.

    In a container root often lacks CAP_SYS_PTRACE and may not look into other users' processes,
    but may act as their owner. With `denied`, raises PermissionError if even that does not help.
    """
    for eyes in (contextlib.nullcontext, _eyes_of_owner):
        try:
            with eyes(pid):
                return look()
        except (psutil.AccessDenied, PermissionError):
            continue
        except (psutil.Error, OSError):
            return None
    found = _stat(pid)
    if denied and found and not found.ended:
        raise PermissionError(
            f"user {os.geteuid()} may not look into pid {pid}; run the host with the capability "
            "CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
        )
    return None


@contextlib.contextmanager
def _eyes_of_owner(pid: int) -> Iterator[None]:
    """Access files as the owner of a process does, in this thread alone (setfsuid(2))."""
    libc = ctypes.CDLL(None)
    owner = os.stat(f"/proc/{pid}")
    before = libc.setfsgid(owner.st_gid), libc.setfsuid(owner.st_uid)
    try:
        yield
    finally:
        libc.setfsuid(before[1])
        libc.setfsgid(before[0])


def _open_files(pid: int, name_part: str) -> list[os.stat_result]:
    found = []
    for link, path in open_links(pid):
        if name_part in path:
            with contextlib.suppress(FileNotFoundError):  # closed just now
                found.append(os.stat(link))
    return found


def open_links(pid: int) -> Iterator[tuple[str, str]]:
    """Yield each link in /proc/PID/fd and what it names. Raises OSError; see `look_into`."""
    folder = f"/proc/{pid}/fd"
    for descriptor in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed just now
            yield f"{folder}/{descriptor}", os.readlink(f"{folder}/{descriptor}")


def readable(descriptor: int) -> bool:
    """True if a descriptor can be read now: for a pidfd, if its process has ended."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # gone, or going: ESRCH can come from the read as well as from the open
        return b""


def _listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
