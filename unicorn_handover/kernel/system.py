"""The seam to the kernel: the clock, pidfds, /proc and prctl. Tests replace this whole."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import stat
import time
from collections.abc import Collection, Iterator, Sequence

import psutil

from .files import KeptFile, changed, chunks_of, keep_file, open_sockets, written_files
from .listeners import Listener, listeners
from .listening import listening_inodes
from .memory import has_touched, shared_pages, words_at
from .pid_file import pid_in
from .pipes import PipeEnds, pipe_ends
from .process import Process, readable
from .procfs import (
    SignalMasks,
    Stat,
    bytes_read,
    executed_as,
    list_directory,
    look_into,
    open_files,
    read_bytes,
    read_maps,
    read_stat,
)
from .run import Run, ids_of
from .socket_name import SocketNames

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
MASKS = (b"ShdPnd", b"SigIgn", b"SigCgt", b"SigBlk")  # of /proc/PID/status, as `SignalMasks`


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
        return read_stat(pid)

    def parent(self) -> int:
        """The pid of this process's own parent."""
        return os.getppid()

    def children(self, pid: int) -> list[int]:
        """The pids of the living and unreaped children of all threads of a process."""
        pids: list[int] = []
        for thread in list_directory(f"/proc/{pid}/task"):
            pids += map(int, read_bytes(f"/proc/{pid}/task/{thread}/children").split())
        return pids

    def own_children(self) -> list[int]:
        """The pids of this process's own children."""
        return self.children(os.getpid())

    def signal_group(self, group: int, number: signal.Signals) -> None:
        """Send a signal to a process group. Raises OSError if it is empty or not this user's.

        ValueError for 0, which kill(2) takes for the caller's own group, and for 1, which may be
        that of the host: neither was made for a program.
        """
        if group <= 1:
            raise ValueError(f"group {group} is not one that a host has made")
        os.killpg(group, number)

    def signal_masks(self, pid: int) -> SignalMasks | None:
        """Read the signal masks of a process, or None if it is gone."""
        masks = {}
        for line in read_bytes(f"/proc/{pid}/status").splitlines():
            key, _, value = line.partition(b":")
            if key in MASKS:
                masks[key] = int(value, 16)
        return SignalMasks(*(masks[key] for key in MASKS)) if len(masks) == len(MASKS) else None

    def command_line(self, pid: int) -> list[str]:
        """The words of the command line as it is now; servers write their title over it."""
        return (
            read_bytes(f"/proc/{pid}/cmdline").decode("utf-8", "replace").rstrip("\0").split("\0")
        )

    def environ(self, pid: int) -> dict[str, str]:
        """The environment a process was exec'd with; empty if gone or not ours to read."""
        return look_into(pid, lambda: psutil.Process(pid).environ()) or {}

    def executable(self, pid: int) -> str:
        """The path of the running executable, whether or not a file is still there."""
        return look_into(pid, lambda: psutil.Process(pid).exe()) or ""

    def working_directory(self, pid: int) -> str:
        """The path of the working directory, whether or not it is still there."""
        return look_into(pid, lambda: psutil.Process(pid).cwd()) or ""

    def executed_as(self, pid: int) -> str:
        """The path that a process was exec'd by: of a script, the script's. "" if not to be seen.

        It outlives every title: the kernel keeps it behind the environment (getauxval(3),
        AT_EXECFN).
        """
        return look_into(pid, lambda: executed_as(pid)) or ""

    def mapped_files(self, pid: int) -> list[str]:
        """The paths of all files that a process has mapped, also of those that are gone."""
        maps = look_into(pid, lambda: read_maps(pid)) or b""
        paths = [line.split(maxsplit=5)[5:] for line in os.fsdecode(maps).splitlines()]
        return list(dict.fromkeys(path[0].removesuffix(" (deleted)") for path in paths if path))

    def owner(self, pid: int) -> int | None:
        """The effective user id of a process, None if it is gone."""
        try:
            return os.stat(f"/proc/{pid}").st_uid
        except OSError:
            return None

    def real_path(self, path: str) -> str:
        """The path without links, as far as it is there."""
        return os.path.realpath(path)

    def is_directory(self, path: str) -> bool:
        """True if a directory is there."""
        return os.path.isdir(path)

    def is_file(self, path: str) -> bool:
        """True if a file is there."""
        return os.path.isfile(path)

    def may_execute(self, path: str) -> bool:
        """True if this user may execute a file, or go into a directory."""
        return os.access(path, os.X_OK)

    def pid_in(self, path: str) -> int:
        """The pid in a pid file, 0 if it holds none or is none."""
        return pid_in(path)

    def text_of(self, path: str) -> str:
        """The text of a small file, "" if it cannot be read."""
        return read_bytes(path).decode("utf-8", "replace")

    def written_files(self, pid: int) -> dict[str, int]:
        """The paths and sizes of the regular files that a process has open for writing.

        Standard error first, then by descriptor.
        """
        return look_into(pid, lambda: written_files(pid)) or {}

    def chunks_of(self, path: str, start: int) -> Iterator[bytes]:
        """What a regular file holds from `start` on, in pieces; the last megabytes of it."""
        return chunks_of(path, start)

    def bytes_read(self, pid: int) -> int | None:
        """How many bytes a process has read from files since its fork, None if it does not show."""
        return look_into(pid, lambda: bytes_read(pid))

    def changed(self, path: str) -> float:
        """When a file, or a link on the way to it, was last changed or exchanged.

        In clock ticks since boot, as process start times are; infinity if there is no such file.
        """
        at = changed(path)
        return self.ticks(self.clock() + at - time.time()) if at else math.inf

    def is_socket(self, pid: int, descriptor: int) -> bool:
        """True if this open descriptor of a process is a socket."""
        found = look_into(pid, lambda: os.stat(f"/proc/{pid}/fd/{descriptor}"))
        return found is not None and stat.S_ISSOCK(found.st_mode)

    def opened(self, pid: int, descriptor: int) -> str:
        """What an open descriptor of a process names: a path, or "pipe:[4711]"; "" if not known."""
        return look_into(pid, lambda: os.readlink(f"/proc/{pid}/fd/{descriptor}")) or ""

    def inode_of(self, pid: int, descriptor: int) -> int:
        """The inode of an open descriptor of a process; 0 if it is closed or not ours to see."""
        found = look_into(pid, lambda: os.stat(f"/proc/{pid}/fd/{descriptor}"))
        return found.st_ino if found else 0

    def file_id(self, path: str) -> tuple[int, int] | None:
        """What is the same in all names of one file; None if there is none that we may see."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def descriptor_limit(self) -> int:
        """One more than the highest descriptor that this process can get."""
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def sockets(self, pid: int, outlive_exec: bool = False) -> frozenset[int]:
        """The inodes of a process's open sockets; none if it is gone or not ours to look into.

        With `outlive_exec` those alone that a program has which the process executes.
        """
        return look_into(pid, lambda: open_sockets(pid, outlive_exec)) or frozenset()

    def listening_sockets(self, pid: int, outlive_exec: bool = False) -> frozenset[int]:
        """The inodes of a process's listening stream sockets."""
        return self.sockets(pid, outlive_exec) & listening_inodes()

    def listeners(self, owner: Process) -> list[Listener]:
        """Copies of a process's listening stream sockets, for the caller to close.

        Raises PermissionError, with what to do, if this process may not have them.
        """
        return listeners(owner)

    def run_as(self, pid: int, words: Sequence[str], directory: str) -> Run:
        """Run a command for a short while as a process's user. Raises OSError."""
        return Run(words, directory, ids_of(pid))

    def keep_names(self, paths: Collection[str]) -> SocketNames:
        """Keep the names of unix sockets from now on."""
        return SocketNames(paths)

    def pipe_ends(self, pid: int) -> PipeEnds | None:
        """The ends of pipes that a process has open; None if it is gone or not ours to look."""
        return pipe_ends(pid)

    def shared_pages(self, pid: int) -> list[int]:
        """The addresses of the single pages that a process shares with those it forks."""
        return shared_pages(pid)

    def has_touched(self, pid: int, address: int) -> bool | None:
        """True if a process has used a shared page since its fork; None if that does not show."""
        return has_touched(pid, address)

    def words_at(self, pid: int, address: int) -> tuple[int, ...]:
        """The unsigned longs of a page of a process's memory; none if they are not ours to read."""
        return words_at(pid, address)

    def open_files(self, pid: int, name_part: str) -> list[os.stat_result]:
        """The status of each open file, deleted or not, whose path holds `name_part`.

        Raises PermissionError if this user may not look.
        """
        return look_into(pid, lambda: open_files(pid, name_part), denied=True) or []

    def keep_file(self, pid: int, name_part: str, identity: tuple[int, int]) -> KeptFile | None:
        """Hold an open file whose path has `name_part`, by device and inode; the caller closes it.

        None if a process has no such file, is gone, or is not ours to look into.
        """
        return look_into(pid, lambda: keep_file(pid, name_part, identity))

    def become_subreaper(self) -> None:
        """Make this process the parent of its orphaned descendants. Raises OSError if refused.

        The flag is not inherited over fork and is kept over exec (prctl(2)).
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
