"""Counts the workers for a handover that begins after a USR2 sent by hand."""

from __future__ import annotations

from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Server
from .situation import Situation


def survey(situation: Situation) -> None:
    """Count the workers of both masters, as they would have been counted before a USR2.

    An old master that got WINCH has forgotten how many workers it had. The new one, of
    the same configuration, has as many.
    """
    system, server, old, new = situation.system, situation.server, situation.old, situation.new
    worker_count, quiesced = 0, 0.0
    if server and old and new:
        worker_count = len(members.workers(system, old, server).all)
        if server.quiesce and not _serves(system, old, server):
            worker_count = max(worker_count, len(members.workers(system, new, server).all))
            quiesced = system.clock()
    situation.report(found=False, worker_count=worker_count, quiesced=quiesced)


def _serves(system: System, master: Process, server: Server) -> bool:
    """True if a worker accepts connections: a worker that is quitting has closed its listeners."""
    workers = members.workers(system, master, server).all
    listening = system.listening_sockets(master.pid)
    return any(not listening or listening & system.listening_sockets(pid) for pid, _ in workers)
