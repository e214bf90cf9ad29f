"""Who belongs to a program: its masters and their workers, each held by a pidfd and proven."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from ..kernel.process import Process
from ..kernel.procfs import Stat
from ..kernel.system import System
from ..model.record import MasterId, Record
from ..servers import (
    Server,
    handlers_installed,
    is_any_successor,
    is_forked,
    orphan_ends_by,
    recognise,
)


def process_group(system: System, master: Process | None) -> int:
    """Return the process group of a living master, 0 if it is gone."""
    stat = system.stat(master.pid) if master else None
    return stat.pgrp if stat else 0


def is_of_group(stat: Stat | None, group: int) -> bool:
    """True if a process is in a group that a host made for a program.

    Not 0, which stands for a group outside of this pid namespace, nor 1, that of a container's
    first process, which may be the host.
    """
    return stat is not None and group > 1 and stat.pgrp == group


def proven(
    system: System, pids: Iterable[int], proof: Callable[[Process], bool]
) -> Iterator[Process]:
    """Hold each of `pids` that `proof` is true of; it is held first, so that no other is proven."""
    for pid in pids:
        held = system.hold(pid)
        if held and proof(held):
            yield held
        elif held:
            held.close()


def proven_children(
    system: System, parent: int, proof: Callable[[Process], bool]
) -> Iterator[Process]:
    """Hold each child of a process that `proof` is true of.

    A child may have ended since it was listed, and its number be another's.
    """

    def is_one(held: Process) -> bool:
        stat = system.stat(held.pid)
        return stat is not None and stat.ppid == parent and proof(held)

    return proven(system, system.children(parent), is_one)


def successor(system: System, old: Process, server: Server) -> Process | None:
    """Hold the new master that the living master `old` has re-executed, or None."""

    def is_new(held: Process) -> bool:
        return held.start >= old.start and server.is_successor(system, held.pid, old.pid)

    return next(proven_children(system, old.pid, is_new), None)


def successor_among(
    system: System, pids: Collection[int], old: int, process_group: int, known: MasterId | None
) -> Process | None:
    """Hold the one of `pids` that is the new master which the dead master `old` started, or None.

    When a master dies its successor becomes the subreaper's child, so parentage proves nothing any
    more. The process group does: the host made it for the program, and its number cannot be reused
    while a process is in it. `known` was proven while the old master lived. It may have got its
    graceful signal since, and have closed the listeners that would prove it now.
    """

    def is_new(held: Process) -> bool:
        of_group = is_of_group(system.stat(held.pid), process_group)
        return of_group and is_any_successor(system, held.pid, old)

    held = system.hold(*known) if known and known.pid in pids else None
    return held or next(proven(system, pids, is_new), None)


@dataclass(frozen=True)
class Workers:
    """The workers of one master at one moment, as (pid, start time)."""

    ready: frozenset[tuple[int, int]]
    booting: frozenset[tuple[int, int]]

    @property
    def all(self) -> frozenset[tuple[int, int]]:
        """Ready or not."""
        return self.ready | self.booting


def workers(system: System, master: Process, server: Server) -> Workers:
    """Find the workers of a master, and which of them are ready."""
    ready: set[tuple[int, int]] = set()
    booting: set[tuple[int, int]] = set()
    for pid, is_ready in server.workers(system, master.pid).items():
        stat = system.stat(pid)
        if stat and not stat.ended:
            (ready if is_ready else booting).add((pid, stat.start))
    return Workers(frozenset(ready), frozenset(booting))


def usual_life(system: System, master: Process, workers: Workers) -> float:
    """Return seconds that a worker of this master lives at least; infinity if it does not show.

    The eldest shows it, if the master itself is so much older that others were there before it.
    """
    now = system.ticks(system.clock())
    eldest = min((start for _, start in workers.all), default=0)
    if not eldest or now - master.start < 2 * (now - eldest):
        return math.inf
    return (now - eldest) / (system.ticks(system.clock() + 1) - now)


def booting_orphans(
    system: System, old: Process, group: int, since: int, server: Server
) -> list[Process]:
    """Hold the workers whose new master died before they had loaded the app.

    They were started after `since`. They are the children of the host by now, which is the driver's
    parent, or of init, if another host has started their master. They are still in its process
    group: that of the master `old`, whose living proves it, or one that it led itself, whose number
    nobody can get while they live.
    """

    def is_left(held: Process) -> bool:
        stat = system.stat(held.pid)
        if stat is None or stat.ppid == old.pid or not is_of_group(stat, group):
            return False
        is_worker = held.pid != group and held.start >= since
        return old.alive() and is_worker and server.is_booting(system, held.pid)

    return list(proven(system, system.group_members(group), is_left))


def deserted_workers(system: System, group: int) -> list[Process]:
    """Hold the workers in a group whose master is dead, and which would serve on for long."""
    pids = system.group_members(group) if group > 1 else []

    def is_deserted(held: Process) -> bool:
        stat = system.stat(held.pid)
        if stat is None or not is_of_group(stat, group) or stat.ppid in pids:
            return False
        return stat.forked_only and orphan_ends_by(system, held.pid) is not None

    return list(proven(system, pids, is_deserted))


def descended_masters(system: System, pid: int) -> list[Process]:
    """Hold every new master below the master `pid`: its successor, and that one's, if any."""

    def is_new(held: Process) -> bool:
        return is_any_successor(system, held.pid, pid)

    masters: list[Process] = []
    for child in proven_children(system, pid, is_new):
        masters += [child, *descended_masters(system, child.pid)]
    return masters


def writers(system: System, master: int) -> frozenset[int]:
    """The pids of a master and of its living workers, with which they mark what they write."""
    workers = {pid for pid in system.children(master) if is_forked(system, pid)}
    ended = {pid for pid in workers for stat in [system.stat(pid)] if stat is None or stat.ended}
    return frozenset(workers - ended | {master})


def writers_but(system: System, record: Record) -> frozenset[int]:
    """The pids, of the old release, whose lines explain nothing about a failed handover.

    Where no new master came, it is the old one that may say why.
    """
    old = record.old.pid
    return writers(system, old) - ({old} if record.new is None else set())


def forked_by(system: System, pid: int) -> list[Process]:
    """Hold the workers that the master `pid` forked, of whatever server."""
    return list(proven_children(system, pid, lambda child: is_forked(system, child.pid)))


def server_below(system: System, pid: int) -> int | None:
    """Return the master of a server that another program, such as a shell, has started, or None.

    `pip install gunicorn` has a server's command line, but no master's handlers. An application
    that uses gunicorn as a library has another command line, but it listens. What stands in front
    does not: a child of it is nobody's new master, though a title hides whose it might be.
    """
    below = system.children(pid)
    if system.listening_sockets(pid):
        below = [child for child in below if not is_any_successor(system, child, pid)]
    for child in below:
        if not handlers_installed(system, child):
            continue
        if recognise(system.command_line(child)) or system.listening_sockets(child):
            stat = system.stat(child)
            if stat and not stat.forked_only:
                return child
    return next((found for child in below if (found := server_below(system, child))), None)
