"""The `unicorn` XML-RPC namespace, and the factory through which supervisord loads the plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from supervisor.http import NOT_DONE_YET
from supervisor.options import make_namespec, split_namespec
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor
from supervisor.xmlrpc import Faults, RPCError

from unicorn_handover.errors import Refused, printable

from .host import Host, host_for
from .process import ManagedSubprocess
from .restart import NOT_BEFORE, Restart, is_running

WATCHING = 1.0  # seconds that a status call may be held until something changes


def make_rpcinterface(supervisord: Supervisor, /, **config: str) -> UnicornNamespaceRPCInterface:
    """Supervisor's `supervisor.rpcinterface_factory`. `config` is the section's keys and values."""
    return UnicornNamespaceRPCInterface(supervisord, host_for(supervisord, config))


class UnicornNamespaceRPCInterface:
    """Every public method can be called by every client; names are those of managed programs."""

    def __init__(self, supervisord: Supervisor, host: Host) -> None:
        self._supervisord = supervisord
        self._host = host

    def restart(self, name: str, wait: bool = False) -> Callable[[], Any]:
        """Hand a running program over to a new master

        @param string name   The name of a managed program (or 'group:name')
        @param boolean wait  Wait until the new master is adopted
        @return boolean result  Always true unless error
        """
        process = self._managed(name)
        if not is_running(process):
            raise RPCError(Faults.NOT_RUNNING, name)
        try:
            restart = Restart(self._host, process)
        except Refused as why:
            raise RPCError(Faults.FAILED, str(why)) from None

        def onwait() -> Any:
            try:
                record = restart.record()
            except Refused as why:
                raise RPCError(Faults.FAILED, str(why)) from None
            if record and record.phase.final and not record.succeeded:
                raise RPCError(Faults.FAILED, record.reason)
            ended = record is not None and record.phase.final
            return True if ended or (not wait and restart.accepted(record)) else NOT_DONE_YET

        return _deferred(self, onwait)

    def status(self, name: str, seen: int = -1) -> dict[str, Any] | Callable[[], Any]:
        """Tell where the handover of a program is

        @param string name  The name of a managed program (or 'group:name')
        @param int seen     The 'changes' of an earlier answer: wait, for up to a second,
                            until there is something newer
        @return struct result  A structure containing data about the handover
        """
        process = self._managed(name)
        if not isinstance(seen, int):
            raise RPCError(Faults.INCORRECT_PARAMETERS, "seen")
        until = self._host.system.clock() + WATCHING

        def onwait() -> Any:
            unchanged = self._host.ledger.page(process.namespec).changes == seen
            if unchanged and self._host.system.clock() < until:
                return NOT_DONE_YET
            return self._status(process)

        return _deferred(self, onwait)

    def rollback(self, name: str) -> bool:
        """Back a running handover out: the old master's workers come back, the new master quits

        @param string name  The name of a managed program (or 'group:name')
        @return boolean result  Always true unless error
        """
        return self._wish(name, "rollback")

    def promote(self, name: str) -> bool:
        """End the soak of a running handover now, and let the old master quit

        @param string name  The name of a managed program (or 'group:name')
        @return boolean result  Always true unless error
        """
        return self._wish(name, "promote")

    def _wish(self, name: str, wish: str) -> bool:
        reason = self._host.wish(self._managed(name).namespec, wish)
        if reason:
            raise RPCError(Faults.FAILED, reason)
        return True

    def _managed(self, name: str) -> ManagedSubprocess:
        mood = self._supervisord.options.mood
        if mood < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)
        process = self._host.programs.get(make_namespec(*split_namespec(str(name))))
        if process is None:
            raise RPCError(Faults.BAD_NAME, printable(str(name)))
        return process

    def _status(self, process: ManagedSubprocess) -> dict[str, Any]:
        program = {"name": process.namespec, "pid": process.pid, "state": process.state}
        return {**program, **self._host.status(process.namespec)}


def _deferred(interface: object, onwait: Callable[[], Any]) -> Callable[[], Any]:
    """Make a function what Supervisor calls again and again until it gives an answer."""
    onwait.delay = NOT_BEFORE  # type: ignore[attr-defined]
    onwait.rpcinterface = interface  # type: ignore[attr-defined]
    return onwait
