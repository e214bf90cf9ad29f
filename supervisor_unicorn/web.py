"""The Restart buttons of Supervisor's web page: a handover for a managed program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote

from supervisor.http import NOT_DONE_YET, supervisor_auth_handler
from supervisor.medusa.http_date import build_http_date
from supervisor.options import make_namespec
from supervisor.process import Subprocess
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import RUNNING_STATES
from supervisor.supervisord import Supervisor
from supervisor.web import DeferredWebProducer, supervisor_ui_handler
from supervisor.xmlrpc import SystemNamespaceRPCInterface

from unicorn_handover.errors import Refused
from unicorn_handover.host.request import Request

from .host import SupervisorSide
from .process import ManagedSubprocess
from .restart import NOT_BEFORE, is_running, request

PATIENCE = 60.0  # seconds a browser is kept waiting for the end of a handover
# As Supervisor's pages have them: a browser that keeps the answer does not ask a second time.
NOT_KEPT = {"Pragma": "no-cache", "Cache-Control": "no-cache", "Expires": build_http_date(0)}


def install(supervisord: Supervisor, side: SupervisorSide) -> None:
    """Put our handler before Supervisor's own on each of its HTTP servers.

    A server asks the handler that was installed last first.
    """
    for config, server in supervisord.options.httpservers:
        handler = RestartHandler(supervisord, side)
        if config["username"]:
            users = {config["username"]: config["password"]}
            handler = supervisor_auth_handler(users, handler)
        server.install_handler(handler)


class RestartHandler(supervisor_ui_handler):  # type: ignore[misc]
    """Takes the restarts of managed programs, and passes all else to Supervisor's own handler."""

    def __init__(self, supervisord: Supervisor, side: SupervisorSide) -> None:
        supervisor_ui_handler.__init__(self, supervisord)
        self._side = side

    def continue_request(self, data: str, request: Any) -> None:
        """Answer a request whose body has been read."""
        path, _, query, _ = request.split_uri()
        # Of a key that comes twice Supervisor takes the first in the query, the last in the body.
        asked = {key: values[0] for key, values in parse_qs((query or "").lstrip("?")).items()}
        form = {**asked, **dict(parse_qsl(data))}
        processes = self._meant(form) if path.lstrip("/") in ("", "index.html") else []
        if not processes:
            supervisor_ui_handler.continue_request(self, data, request)
            return
        first = self._restart_of_others(processes) if form["action"] == "restartall" else None
        page = _Restarts(first, self._side, processes)
        page.home = request.get_server_url()
        request.channel.push_with_producer(DeferredWebProducer(request, page))

    def _meant(self, form: dict[str, str]) -> list[Subprocess]:
        """The running programs that are to be restarted and are listed, managed or not."""
        if form.get("action") == "restartall":
            return [process for process in self._every() if self._is_ours(process)]
        if form.get("action") != "restart" or not form.get("processname"):
            return []
        process = self._side.named(form["processname"])
        return [process] if process and self._is_ours(process) else []

    def _is_ours(self, process: Subprocess) -> bool:
        """True if a restart is a handover, or is refused because it cannot be one."""
        if isinstance(process, ManagedSubprocess):
            return is_running(process)
        return process.state in RUNNING_STATES and bool(self._side.why_unmanaged(process))

    def _every(self) -> list[Subprocess]:
        groups = self.supervisord.process_groups.values()
        return [process for group in groups for process in group.processes.values()]

    def _restart_of_others(self, processes: list[Subprocess]) -> Callable[[], Any]:
        """Supervisor's own restart of all but these, as its page does it; call it until it is done.

        A driver that runs is wanted right now, one that is stopped is started with the others.
        """
        drivers = [
            p for p in self._every() if self._side.drivers.include(p) and p.state in RUNNING_STATES
        ]
        others = _AllBut(self.supervisord, [*processes, *drivers])
        system = SystemNamespaceRPCInterface([("supervisor", others)])
        calls = ("supervisor.stopAllProcesses", "supervisor.startAllProcesses")
        restart: Callable[[], Any] = system.multicall([{"methodName": call} for call in calls])
        return restart


class _AllBut(SupervisorNamespaceRPCInterface):  # type: ignore[misc]
    """Supervisor's own methods, for which some processes do not belong to all."""

    def __init__(self, supervisord: Supervisor, kept: list[Subprocess]) -> None:
        SupervisorNamespaceRPCInterface.__init__(self, supervisord)
        self._kept = kept

    def _getAllProcesses(self, lexical: bool = False) -> list[tuple[Any, Subprocess]]:
        pairs = SupervisorNamespaceRPCInterface._getAllProcesses(self, lexical)
        # Not `in`: Supervisor compares subprocesses by their priorities.
        return [pair for pair in pairs if not any(pair[1] is kept for kept in self._kept)]


class _Restarts:
    """What the page waits for: maybe Supervisor's restart of other programs, then handovers."""

    delay = NOT_BEFORE
    home = ""

    def __init__(
        self, first: Callable[[], Any] | None, side: SupervisorSide, processes: list[Subprocess]
    ) -> None:
        self._first = first
        self._side = side
        self._processes = processes
        self._until = 0.0
        self._waiting: dict[str, Request] = {}
        self._messages: list[str] = []

    def __call__(self) -> Any:
        if self._first:
            if self._first() is NOT_DONE_YET:
                return NOT_DONE_YET
            self._first = None
        if self._processes:
            self._begin()
        for name, asked in list(self._waiting.items()):
            self._look_at(name, asked)
        if self._waiting:
            return NOT_DONE_YET
        message = quote("; ".join(self._messages))
        return {"headers": {"Location": f"{self.home}/?message={message}", **NOT_KEPT}}

    def _begin(self) -> None:
        self._until = self._side.system.clock() + PATIENCE
        for process in self._processes:
            name = make_namespec(process.group.config.name, process.config.name)
            try:
                self._waiting[name] = self._restart(process)
            except Refused as why:
                self._messages.append(f"ERROR: Process {name}: {why}")
        self._processes = []

    def _restart(self, process: Subprocess) -> Request:
        reason = self._side.why_unmanaged(process)
        if reason:
            raise Refused(reason)
        return request(self._side, process)

    def _look_at(self, name: str, asked: Request) -> None:
        self._side.tick()
        asked.poll()
        if asked.has_ended:
            message = _message(asked)
        elif self._side.system.clock() >= self._until:
            message = f"Process {name}: handover {asked.number} is still under way"
        else:
            return
        del self._waiting[name]
        self._messages.append(message)


def _message(asked: Request) -> str:
    name, record = asked.program.name, asked.record
    if record is None or not record.phase.final:
        return f"ERROR: Process {name}: {asked.reason}"
    if asked.reason:
        return f"ERROR: Process {name} was not restarted: {asked.reason}"
    new = record.new.pid if record.new else 0
    seconds = record.ended - record.began
    return f"Process {name} handed over from pid {record.old.pid} to {new} in {seconds:.1f} s"
