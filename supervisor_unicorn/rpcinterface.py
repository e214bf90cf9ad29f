"""The `unicorn` XML-RPC namespace, and the factory through which supervisord loads the plugin."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from supervisor.http import NOT_DONE_YET
from supervisor.options import ProcessException, make_namespec, split_namespec
from supervisor.states import RUNNING_STATES, SupervisorStates
from supervisor.supervisord import Supervisor
from supervisor.xmlrpc import Faults, RPCError

from unicorn_handover.errors import printable
from unicorn_handover.ledger import NOT_BEGUN
from unicorn_handover.record import Record
from unicorn_handover.states import Phase

from .host import Host, host_for
from .process import ManagedSubprocess

ACCEPTING = 2.0  # seconds to wait for the driver's first look, where the caller does not wait
WATCHING = 10.0  # seconds that a status call may be held until something changes


def make_rpcinterface(supervisord: Supervisor, **config: str) -> UnicornNamespaceRPCInterface:
    """Supervisor's `supervisor.rpcinterface_factory`. `config` is the section's keys and values."""
    return UnicornNamespaceRPCInterface(supervisord, host_for(supervisord, config))


class UnicornNamespaceRPCInterface:
    """Every public method can be called by every client; names are those of managed programs."""

    def __init__(self, supervisord: Supervisor, host: Host) -> None:
        self._supervisord = supervisord
        self._host = host

    def restart(self, name: str, wait: bool = False) -> bool | Callable[[], Any]:
        """Hand a running program over to a new master

        @param string name   The name of a managed program (or 'group:name')
        @param boolean wait  Wait until the new master is adopted
        @return boolean result  Always true unless error
        """
        process = self._managed(name)
        if process.master is None or process.state not in RUNNING_STATES:
            raise RPCError(Faults.NOT_RUNNING, name)
        reason = self._refusal(process)
        if reason:
            raise RPCError(Faults.FAILED, reason)
        number = self._host.ledger.request(process.namespec)
        until = None if wait else self._host.system.clock() + ACCEPTING

        def onwait() -> Any:
            return self._verdict(process.namespec, number, until)

        onwait.delay = 0.02  # type: ignore[attr-defined]
        onwait.rpcinterface = self  # type: ignore[attr-defined]
        return onwait

    def status(self, name: str, seen: int = -1) -> dict[str, Any] | Callable[[], Any]:
        """Tell where the handover of a program is

        @param string name  The name of a managed program (or 'group:name')
        @param int seen     The 'changes' of an earlier answer: wait, for up to 10 seconds,
                            until there is something newer
        @return struct result  A structure containing data about the handover
        """
        process = self._managed(name)
        until = self._host.system.clock() + WATCHING

        def onwait() -> Any:
            unchanged = self._host.ledger.page(process.namespec).changes == int(seen)
            if unchanged and self._host.system.clock() < until:
                return NOT_DONE_YET
            return self._status(process)

        if self._host.ledger.page(process.namespec).changes != int(seen):
            return self._status(process)
        onwait.delay = 0.05  # type: ignore[attr-defined]
        onwait.rpcinterface = self  # type: ignore[attr-defined]
        return onwait

    def _managed(self, name: str) -> ManagedSubprocess:
        mood = self._supervisord.options.mood
        if mood < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)
        process = self._host.programs.get(make_namespec(*split_namespec(str(name))))
        if process is None:
            raise RPCError(Faults.BAD_NAME, printable(str(name)))
        return process

    def _refusal(self, process: ManagedSubprocess) -> str:
        """What keeps a restart of this program from being a handover, or ""."""
        error = self._host.refusal(process)
        if error:
            return str(error)
        section = f"[program:{process.config.name}]"
        try:
            process.get_execv_args()
        except ProcessException as what:
            return f"{section} command: {printable(str(what))}; install it, or correct the command"
        directory = process.config.directory
        if directory and not os.path.isdir(directory):
            return f"{section} directory: {printable(directory)} is not there; make it again"
        if not self._host.driver_will_come:
            return self._host.absence()
        return ""

    def _verdict(self, program: str, number: int, until: float | None) -> Any:
        """True, NOT_DONE_YET or an RPCError; with `until`, being accepted is enough."""
        ledger = self._host.ledger
        ledger.tick(self._host.absence())
        record = ledger.find(program, number)
        if record and record.phase.final:
            if record.succeeded:
                return True
            raise RPCError(Faults.FAILED, record.reason)
        if record is None and ledger.page(program).following != number:
            raise RPCError(Faults.FAILED, "the handover before it was cancelled")
        if until is None:
            if ledger.driver_is_overdue:
                raise RPCError(Faults.FAILED, self._stranded(record))
            return NOT_DONE_YET
        begun = record is None or record.phase not in (Phase.REQUESTED, Phase.CHECKING)
        return True if begun or self._host.system.clock() >= until else NOT_DONE_YET

    def _stranded(self, record: Record | None) -> str:
        phase = record.phase if record else Phase.REQUESTED
        return f"{self._host.absence()}; it will go on with the handover, now {phase.value}"

    def _status(self, process: ManagedSubprocess) -> dict[str, Any]:
        page = self._host.ledger.page(process.namespec)
        running = page.running
        now = self._host.system.clock()
        return {
            "name": process.namespec,
            "phase": running.phase.value if running else "idle",
            "pid": process.pid,
            "state": process.state,
            "running": _struct(running, now) if running else {},
            "following": page.following,
            "ended": [_struct(record, now) for record in page.ended],
            "changes": page.changes,
            "stranded": self._stranded(running) if self._host.ledger.driver_is_overdue else "",
        }


def _struct(record: Record, now: float) -> dict[str, Any]:
    """A record in types that XML-RPC has: no None, times as seconds until now or until its end."""
    end = record.ended or now
    return {
        "number": record.number,
        "phase": record.phase.value,
        "old_pid": record.old.pid,
        "new_pid": record.new.pid if record.new else 0,
        "server": record.server,
        "ready": record.ready,
        "total": record.total,
        "succeeded": record.succeeded,
        "begun": record.phase not in NOT_BEGUN,
        "reason": record.reason,
        "output": list(record.output),
        "seconds": round(end - record.began, 3),
        "seconds_in_phase": round(now - record.since, 3),
    }
