"""Whether a process that an earlier host has remembered is this program's."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import Refused
from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..model.record import MasterId
from ..servers import handlers_installed, recognise
from .base import Host


def hold_proven(host: Host, master: MasterId, group: int, words: Sequence[str]) -> Process | None:
    """Hold this very process, None if it has ended. Raises Refused if it cannot be the program's.

    group: its process group, 0 if that is not remembered. words: how the host would start the
    program. That it is the one that was remembered is certain; what is asked here is whether the
    one who has written that down was an earlier host.
    """
    held = host.system.hold(*master)
    if held is None:
        return None
    try:
        _refuse_stranger(host, held.pid, group)
        _refuse_other_program(host.system, held.pid, words)
    except Refused:
        held.close()
        raise
    return held


def left_in_group(host: Host, master: MasterId, group: int) -> list[int]:
    """The pids of what a dead master may have left in its process group.

    Empty if the number is another group's by now, whose leader was started later: that can be only
    if nothing was left.
    """
    leader = host.system.stat(group) if group > 1 else None
    if group <= 1 or (leader and leader.start > master.start):
        return []
    known = host.known_pids()
    return [pid for pid in host.system.group_members(group) if pid not in known]


def _refuse_stranger(host: Host, pid: int, group: int) -> None:
    stat = host.system.stat(pid)
    if pid in host.known_pids():
        raise Refused(f"pid {pid}, which is remembered as its master, is another program's")
    if group and stat and stat.pgrp != group:
        raise Refused(f"pid {pid}, which is remembered as its master, is not in its process group")


def _refuse_other_program(system: System, pid: int, words: Sequence[str]) -> None:
    line = system.command_line(pid)
    if recognise(line) or handlers_installed(system, pid) or _starts_so(line, words):
        return
    if members.server_below(system, pid) is None:  # of a shell, say
        raise Refused(f"pid {pid}, which is remembered as its master, runs no server")


def _starts_so(line: Sequence[str], words: Sequence[str]) -> bool:
    """True if a command line is that of a command, maybe behind a script's interpreter."""
    if len(words) < 2 or list(line[1 - len(words) :]) != list(words[1:]):
        return False
    names = {os.path.basename(word) for word in line[: 1 - len(words)]}
    return os.path.basename(words[0]) in names
