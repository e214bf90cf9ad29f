"""What can be seen of a process, from outside. A part of `System`."""

from __future__ import annotations

import os

import psutil

from .memory import has_touched, shared_pages, words_at
from .pipes import PipeEnds, pipe_ends
from .procfs import (
    SignalMasks,
    Stat,
    bytes_read,
    executed_as,
    group_of,
    list_directory,
    look_into,
    read_bytes,
    read_maps,
    read_stat,
)

MASKS = (b"ShdPnd", b"SigCgt", b"SigBlk")  # of /proc/PID/status, as `SignalMasks`


class ProcessFacts:
    """What can be seen of a process, from outside.

    What is gone is None or empty, never an error.
    """

    def stat(self, pid: int) -> Stat | None:
        """Read /proc/PID/stat, or None if there is no such process."""
        return read_stat(pid)

    def children(self, pid: int) -> list[int]:
        """The pids of the living and unreaped children of all threads of a process."""
        pids: list[int] = []
        for thread in list_directory(f"/proc/{pid}/task"):
            pids += map(int, read_bytes(f"/proc/{pid}/task/{thread}/children").split())
        return pids

    def group_members(self, group: int) -> list[int]:
        """The pids of all that are in a process group, the eldest first."""
        pids = [int(name) for name in list_directory("/proc") if name.isdigit()]
        # Asked of all, and so not by /proc, which takes some fifty times as long.
        stats = [(pid, read_stat(pid)) for pid in pids if group_of(pid) == group]
        found = sorted((stat.start, pid) for pid, stat in stats if stat and stat.pgrp == group)
        return [pid for _, pid in found]

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

    def bytes_read(self, pid: int) -> int | None:
        """How many bytes a process has read from files since its fork, None if it does not show."""
        return look_into(pid, lambda: bytes_read(pid))

    def shared_pages(self, pid: int) -> list[int]:
        """The addresses of the single pages that a process shares with those it forks."""
        return shared_pages(pid)

    def has_touched(self, pid: int, address: int) -> bool | None:
        """True if a process has used a shared page since its fork; None if that does not show."""
        return has_touched(pid, address)

    def words_at(self, pid: int, address: int) -> tuple[int, ...]:
        """The unsigned longs of a page of a process's memory; none if they are not ours to read."""
        return words_at(pid, address)

    def pipe_ends(self, pid: int) -> PipeEnds | None:
        """The ends of pipes that a process has open; None if it is gone or not ours to read."""
        return pipe_ends(pid)
