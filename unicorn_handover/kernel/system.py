"""The seam to the kernel: the clock, pidfds, /proc and prctl. Tests replace this whole."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import time
from collections.abc import Mapping, Sequence

from .file_facts import FileFacts
from .files import changed
from .process import Process
from .process_facts import ProcessFacts
from .readiness import readable
from .run import Run, ids_for
from .socket_facts import SocketFacts
from .spare import keep_spare, with_spare

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class System(ProcessFacts, FileFacts, SocketFacts):
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
            pidfd = with_spare(lambda: os.pidfd_open(pid))
        except (OSError, ValueError):
            return None
        found = self.stat(pid)
        # Read after the open: while the pidfd is not readable, the number cannot have been reused.
        if found is None or (start is not None and found.start != start) or readable(pidfd):
            os.close(pidfd)
            return None
        return Process(pid, found.start, pidfd)

    def parent(self) -> int:
        """The pid of this process's own parent."""
        return os.getppid()

    def own_children(self) -> list[int]:
        """The pids of this process's own children."""
        return self.children(os.getpid())

    def is_own_child(self, pid: int) -> bool:
        """True if a process, living or not reaped yet, is this one's child."""
        stat = self.stat(pid)
        return stat is not None and stat.ppid == os.getpid()

    def signal_group(self, group: int, number: signal.Signals) -> None:
        """Send a signal to a process group. Raises OSError if it is empty or not this user's.

        ValueError for 0, which kill(2) takes for the caller's own group, and for 1, which may be
        that of the host: neither was made for a program.
        """
        if group <= 1:
            raise ValueError(f"group {group} is not one that a host has made")
        os.killpg(group, number)

    def changed(self, path: str) -> float:
        """When a file, or a link on the way to it, was last changed or exchanged.

        In clock ticks since boot, as process start times are; infinity if there is no such file.
        """
        at = changed(path)
        return self.ticks(self.clock() + at - time.time()) if at else math.inf

    def descriptor_limit(self) -> int:
        """One more than the highest descriptor that this process can get."""
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def keep_spare(self) -> bool:
        """Have a few descriptors in reserve, by which processes are seen when no other is left.

        False if that is so now.
        """
        return keep_spare()

    def raise_descriptor_limit(self) -> None:
        """Let this process have as many descriptors as its hard limit allows."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # above fs.nr_open
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def run_as(
        self,
        user: int | str | None,
        group: int | str | None,
        words: Sequence[str],
        directory: str,
        environ: Mapping[str, str],
    ) -> Run:
        """Run a command for a short while, under the ids that `ids_for` gives.

        Raises OSError, and what else `Run` raises.
        """
        return Run(words, directory, ids_for(user, group), environ)

    def become_subreaper(self) -> None:
        """Make this process the parent of its orphaned descendants. Raises OSError if refused.

        The flag is not inherited over fork and is kept over exec (prctl(2)).
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
