"""The `unicorn` XML-RPC namespace, and the factory through which supervisord loads the plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from supervisor.events import SupervisorRunningEvent
from supervisor.http import NOT_DONE_YET
from supervisor.options import make_namespec, split_namespec
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor
from supervisor.xmlrpc import Faults, RPCError

from unicorn_handover.errors import Refused, printable
from unicorn_handover.host.request import Request
from unicorn_handover.kernel.system import System

from . import web
from .changes import Stock, update
from .host import SupervisorSide
from .process import ManagedSubprocess
from .restart import NOT_BEFORE, is_running, outcome, request

WATCHING = 1.0  # seconds that a status call may be held until something changes

_sides: list[SupervisorSide] = []  # at most one, of the newest supervisord: a reload makes another


def make_rpcinterface(supervisord: Supervisor, /, **config: str) -> UnicornNamespaceRPCInterface:
    """Supervisor's `supervisor.rpcinterface_factory`. `config` is the section's keys and values."""
    return UnicornNamespaceRPCInterface(supervisord, side_for(supervisord, config))


def side_for(supervisord: Supervisor, config: dict[str, str]) -> SupervisorSide:
    """Return the host side of this supervisord, put together at the first call.

    Supervisor calls the plugin's factory once for each of its HTTP servers.
    """
    if not any(side.serves(supervisord) for side in _sides):
        for older in _sides:
            older.loop.close()
            older.close_notes()
        side = SupervisorSide(supervisord, config, System())
        _sides[:] = [side]
        side.subscribe(SupervisorRunningEvent, lambda event: web.install(supervisord, side))
        side.manage_all()
    return _sides[0]


class UnicornNamespaceRPCInterface:
    """Every public method can be called by every client; names are those of managed programs."""

    def __init__(self, supervisord: Supervisor, side: SupervisorSide) -> None:
        self._supervisord = supervisord
        self._side = side

    def restart(self, name: str, wait: bool = False) -> Callable[[], Any]:
        """Hand a running program over to a new master

        @param string name   The name of a managed program (or 'group:name')
        @param boolean wait  Wait until the new master is adopted
        @return boolean result  Always true unless error
        """
        asked = self._begun(name)

        def onwait() -> Any:
            return self._is_over(asked, bool(wait)) or NOT_DONE_YET

        return _deferred(self, onwait)

    def request(self, name: str) -> Callable[[], Any]:
        """Ask for a handover of a running program; 'outcome' shows what becomes of it

        @param string name  The name of a managed program (or 'group:name')
        @return int result  The number of the handover, once it is accepted
        """
        asked = self._begun(name)

        def onwait() -> Any:
            asked.poll()
            # One that was begun has an outcome, with its phases and the cause, at whatever time.
            if asked.record and asked.record.phase.final and asked.record.signalled:
                return asked.number
            return asked.number if self._is_over(asked, False) else NOT_DONE_YET

        return _deferred(self, onwait)

    def outcome(self, name: str, number: int, seen: int = -1) -> Callable[[], Any]:
        """Tell what has become of one handover of a program

        @param string name  The name of a managed program (or 'group:name')
        @param int number   What 'request' answered
        @param int seen     The 'changes' of an earlier answer: wait, for up to a second,
                            until there is something newer
        @return struct result  'ended', its data once it has ended; 'reason', if it failed or will
                               never come; else 'running', the data of the one that runs
        """
        process = self._managed(name)
        if type(number) is not int or type(seen) is not int:
            raise RPCError(Faults.INCORRECT_PARAMETERS, "number, seen")
        return self._when_changed(
            process, seen, lambda: outcome(self._side, process.program, number)
        )

    def update(self, group: str) -> dict[str, Any]:
        """Hand the programs of a group whose sections have changed over to new masters

        reloadConfig() has read the sections before.

        @param string group   The name of a group that reloadConfig() says has changed
        @return struct result  'handled': false if the group is to be stopped, removed and added
                               again as ever; 'why': what speaks for that, '' if no managed
                               program of it runs; 'numbers': of the handovers, by program
        """
        if self._supervisord.options.mood != SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)
        try:
            return {
                "handled": True,
                "why": "",
                "numbers": update(self._supervisord, self._side, group),
            }
        except Stock as why:
            return {"handled": False, "why": str(why), "numbers": {}}
        except Refused as why:
            raise RPCError(Faults.FAILED, str(why)) from None

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
        return self._when_changed(process, seen, lambda: self._status(process))

    def rollback(self, name: str) -> bool:
        """Back a running handover out: the old master's workers come back, the new master quits

        @param string name  The name of a managed program (or 'group:name')
        @return boolean result  Always true unless error
        """
        return self._steer(name, "rollback")

    def promote(self, name: str) -> bool:
        """End the soak of a running handover now, and let the old master quit

        @param string name  The name of a managed program (or 'group:name')
        @return boolean result  Always true unless error
        """
        return self._steer(name, "promote")

    def leave(self, name: str) -> bool:
        """Let a running program run on at the next shutdown or reload of supervisord

        The next supervisord with this configuration file takes it over.

        @param string name  The name of a managed program (or 'group:name')
        @return boolean result  Always true unless error
        """
        reason = self._managed(name).program.survival.ask_to_leave()
        if reason:
            raise RPCError(Faults.FAILED, reason)
        return True

    def _begun(self, name: str) -> Request:
        process = self._managed(name)
        if not is_running(process):
            raise RPCError(Faults.NOT_RUNNING, name)
        try:
            return request(self._side, process)
        except Refused as why:
            raise RPCError(Faults.FAILED, str(why)) from None

    def _is_over(self, asked: Request, wait: bool) -> bool:
        """True once a caller is to be answered. Raises RPCError if it failed."""
        self._side.tick()
        asked.poll()
        if asked.reason:
            raise RPCError(Faults.FAILED, asked.reason)
        return asked.is_over(wait)

    def _when_changed(
        self, process: ManagedSubprocess, seen: int, answer: Callable[[], Any]
    ) -> Callable[[], Any]:
        """Answer when the program's handovers are not as they were `seen`, or after WATCHING."""
        until = self._side.system.clock() + WATCHING

        def onwait() -> Any:
            unchanged = process.program.handovers.changes == seen
            if unchanged and self._side.system.clock() < until:
                return NOT_DONE_YET
            return answer()

        return _deferred(self, onwait)

    def _steer(self, name: str, command: str) -> bool:
        reason = self._side.steer(self._managed(name).program, command)
        if reason:
            raise RPCError(Faults.FAILED, reason)
        return True

    def _managed(self, name: str) -> ManagedSubprocess:
        mood = self._supervisord.options.mood
        if mood < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)
        namespec = make_namespec(*split_namespec(str(name)))
        process = self._side.processes.get(namespec)
        if process is None:
            raise self._fault(namespec)
        return process

    def _fault(self, namespec: str) -> RPCError:
        """The error for a name that no managed program has."""
        there = self._side.named(namespec)
        reason = self._side.why_unmanaged(there) if there else ""
        if reason:
            return RPCError(Faults.FAILED, reason)
        return RPCError(Faults.BAD_NAME, printable(namespec))

    def _status(self, process: ManagedSubprocess) -> dict[str, Any]:
        program = process.program
        known = {"name": program.name, "pid": process.pid, "state": process.state}
        return {**known, **self._side.status(program)}


def _deferred(interface: object, onwait: Callable[[], Any]) -> Callable[[], Any]:
    """Make a function what Supervisor calls again and again until it gives an answer."""
    onwait.delay = NOT_BEFORE  # type: ignore[attr-defined]
    onwait.rpcinterface = interface  # type: ignore[attr-defined]
    return onwait
