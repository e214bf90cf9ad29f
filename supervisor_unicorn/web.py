"""The Restart buttons of Supervisor's web page: a handover for a managed program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, quote

from supervisor.http import NOT_DONE_YET, supervisor_auth_handler
from supervisor.medusa.http_date import build_http_date
from supervisor.options import make_namespec, split_namespec
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.supervisord import Supervisor
from supervisor.web import DeferredWebProducer, supervisor_ui_handler
from supervisor.xmlrpc import SystemNamespaceRPCInterface

from unicorn_handover.errors import Refused
from unicorn_handover.record import Record

from .host import Host
from .process import ManagedSubprocess
from .restart import NOT_BEFORE, Restart, is_running

PATIENCE = 60.0  # seconds a browser is kept waiting for the end of a handover
# As Supervisor's pages have them: a browser that keeps the answer does not ask a second time.
NOT_KEPT = {"Pragma": "no-cache", "Cache-Control": "no-cache", "Expires": build_http_date(0)}


def install(supervisord: Supervisor, host: Host) -> None:
    """Put our handler before Supervisor's own on each of its HTTP servers.

    A server asks the handler that was installed last first.
    """
    for config, server in supervisord.options.httpservers:
        handler = RestartHandler(supervisord, host)
        if config["username"]:
            users = {config["username"]: config["password"]}
            handler = supervisor_auth_handler(users, handler)
        server.install_handler(handler)


class RestartHandler(supervisor_ui_handler):  # type: ignore[misc]
    """Takes the restarts of managed programs, and passes all else to Supervisor's own handler."""

    def __init__(self, supervisord: Supervisor, host: Host) -> None:
        supervisor_ui_handler.__init__(self, supervisord)
        self._host = host

    def continue_request(self, data: str, request: Any) -> None:
        """Answer a request whose body has been read."""
        _, _, query, _ = request.split_uri()
        form = dict(parse_qsl((query or "").lstrip("?")) + parse_qsl(data))
        processes = self._meant(form)
        if not processes:
            supervisor_ui_handler.continue_request(self, data, request)
            return
        others = self._others() if form["action"] == "restartall" else []
        page = _Restarts(self._supervisor_restart(others), self._host, processes)
        page.home = request.get_server_url()
        request.channel.push_with_producer(DeferredWebProducer(request, page))

    def _meant(self, form: dict[str, str]) -> list[ManagedSubprocess]:
        """The running managed programs that are to be restarted."""
        running = {n: p for n, p in self._host.programs.items() if is_running(p)}
        if form.get("action") == "restartall":
            return list(running.values())
        if form.get("action") != "restart" or not form.get("processname"):
            return []
        name = make_namespec(*split_namespec(form["processname"]))
        return [running[name]] if name in running else []

    def _others(self) -> Iterable[str]:
        for group in self.supervisord.process_groups.values():
            for process in group.processes.values():
                name = make_namespec(group.config.name, process.config.name)
                handed_over = name in self._host.programs and is_running(process)
                # The driver is wanted right now.
                if not handed_over and not self._host.is_driver(process):
                    yield name

    def _supervisor_restart(self, names: Iterable[str]) -> Callable[[], Any] | None:
        """Supervisor's own stop and start of some programs, as its page does it."""
        main = SupervisorNamespaceRPCInterface(self.supervisord)
        calls = [
            {"methodName": f"supervisor.{method}", "params": [name]}
            for name in names
            for method in ("stopProcess", "startProcess")
        ]
        if not calls:
            return None
        result = SystemNamespaceRPCInterface([("supervisor", main)]).multicall(calls)
        return result if callable(result) else None


class _Restarts:
    """What the page waits for: handovers, and maybe Supervisor's restart of other programs."""

    delay = NOT_BEFORE
    home = ""

    def __init__(
        self,
        others: Callable[[], Any] | None,
        host: Host,
        processes: list[ManagedSubprocess],
    ) -> None:
        self._others = others
        self._clock = host.system.clock
        self._until = self._clock() + PATIENCE
        self._waiting: dict[str, Restart] = {}
        self._messages: list[str] = []
        for process in processes:
            try:
                self._waiting[process.namespec] = Restart(host, process)
            except Refused as why:
                self._messages.append(f"ERROR: Process {process.namespec}: {why}")

    def __call__(self) -> Any:
        if self._others and self._others() is not NOT_DONE_YET:
            self._others = None
        for name, restart in list(self._waiting.items()):
            self._look_at(name, restart)
        if self._waiting or self._others:
            return NOT_DONE_YET
        message = quote("; ".join(self._messages))
        return {"headers": {"Location": f"{self.home}/?message={message}", **NOT_KEPT}}

    def _look_at(self, name: str, restart: Restart) -> None:
        try:
            record = restart.record()
        except Refused as why:
            message = f"ERROR: Process {name}: {why}"
        else:
            if record and record.phase.final:
                message = _message(name, record)
            elif self._clock() >= self._until:
                message = f"Process {name}: handover {restart.number} is still under way"
            else:
                return
        del self._waiting[name]
        self._messages.append(message)


def _message(name: str, record: Record) -> str:
    if not record.succeeded:
        return f"ERROR: Process {name} was not restarted: {record.reason}"
    new = record.new.pid if record.new else 0
    seconds = record.ended - record.began
    return f"Process {name} handed over from pid {record.old.pid} to {new} in {seconds:.1f} s"
