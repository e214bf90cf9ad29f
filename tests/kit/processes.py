"""Which processes of a test's folder live: read from /proc, without the code under test."""

from __future__ import annotations

import contextlib
import os
import signal
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

from ..waiting import wait_until

MARK = "UNICORN_HANDOVER_TEST"  # in the environment of all that a test starts
FORKED_ONLY = 0x40  # PF_FORKNOEXEC


class Found(NamedTuple):
    """A living process; `start` in clock ticks since boot, `forked` if it never exec'd."""

    pid: int
    start: int
    ppid: int
    forked: bool


def _words(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].decode().split()


def look(pid: int) -> Found | None:
    """The process of this number, None if there is none or only its zombie."""
    try:
        words = _words(pid)
    except OSError:
        return None
    if words[0] in "ZX":
        return None
    return Found(pid, int(words[19]), int(words[1]), bool(int(words[6]) & FORKED_ONLY))


def living(pid: int) -> Found:
    """The process of this number, which lives."""
    found = look(pid)
    assert found, f"pid {pid} does not live"
    return found


def alive(found: Found) -> bool:
    """True while this very process lives."""
    now = look(found.pid)
    return now is not None and now.start == found.start


def _belongs(pid: str, folder: bytes) -> bool:
    # By any of three: titles are written over the environment, folders are deleted by tests.
    with contextlib.suppress(OSError):
        if (os.readlink(f"/proc/{pid}/cwd".encode()) + b"/").startswith(folder + b"/"):
            return True
    mark = f"{MARK}=".encode() + folder
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        if folder + b"/" in file.read():
            return True
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        data = file.read()
        return mark + b"\0" in data or mark + b"/" in data
    return False


def living_in(folder: Path) -> list[Found]:
    """All living processes that work in a folder, name it, or carry it as their mark."""
    pids = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    found = [look(int(pid)) for pid in pids if _belongs(pid, os.fsencode(folder))]
    return [process for process in found if process]


def children(pid: int) -> list[Found]:
    """The living children of a process."""
    found: list[Found | None] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += [look(int(word)) for word in file.read().split()]
    return [process for process in found if process]


def kill(found: Found, number: int = signal.SIGKILL) -> None:
    """Signal this very process, if it still lives."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(found.pid)
        try:
            if alive(found):
                signal.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)


def end(*every: Found) -> None:
    """Kill these very processes, and return when they are dead."""
    for found in every:
        kill(found)
    for found in every:
        wait_until(partial(_dead, found), f"{found} is dead")


def _dead(found: Found) -> bool:
    return not alive(found)


def awaits(found: Found, number: int) -> bool:
    """True if this signal was sent to a process and not yet delivered."""
    with open(f"/proc/{found.pid}/status") as file:
        pending = next(line for line in file if line.startswith("ShdPnd"))
    return bool(int(pending.split()[1], 16) >> (number - 1) & 1)


def describe(found: Found) -> str:
    """One line on a process, for a report."""
    with contextlib.suppress(psutil.Error, OSError):
        return f"{found} {' '.join(psutil.Process(found.pid).cmdline())}"
    return f"{found} gone"
