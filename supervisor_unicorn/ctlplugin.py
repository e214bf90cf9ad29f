"""supervisorctl's side: `restart` that knows of handovers."""

from __future__ import annotations

import json
import sys
from http.client import HTTPException
from typing import Any
from xmlrpc.client import Error, Fault

from supervisor.options import split_namespec
from supervisor.states import ProcessStates
from supervisor.supervisorctl import Controller, ControllerPluginBase, LSBInitExitStatuses
from supervisor.xmlrpc import Faults

from unicorn_handover.errors import printable
from unicorn_handover.progress import Progress, status_line

from .others import Others, process_infos

NOT_MANAGED = (Faults.BAD_NAME, Faults.UNKNOWN_METHOD)
STRANGER = "not managed by [rpcinterface:unicorn]"
FAILURES = (Error, HTTPException, OSError)  # of a call: a fault, or supervisord is not there
HANDED_OVER = (ProcessStates.RUNNING, ProcessStates.STARTING)


def make_ctlplugin(controller: Controller, /, **config: str) -> UnicornControllerPlugin:
    """Supervisor's `supervisor.ctl_factory`."""
    plugin = UnicornControllerPlugin(controller)
    # supervisorctl looks for a command in the controller itself, then in its plugins, and its own
    # plugin is the first of those.
    controller.do_restart = plugin.do_restart
    controller.do_help = plugin.explain
    return plugin


class UnicornControllerPlugin(ControllerPluginBase):  # type: ignore[misc]
    """The restart of managed programs; for all others Supervisor's own."""

    name = "unicorn"

    def __init__(self, controller: Controller) -> None:
        self.ctl = controller

    def do_restart(self, arg: str) -> None:
        """restart [--wait] NAME ... | GROUP:* | all"""
        words = arg.split()
        wait = "--wait" in words
        names = ["all"] if "all" in words else [word for word in words if word != "--wait"]
        stock = self._stock()
        if not names:
            stock.do_restart("")
            return
        if not self.ctl.upcheck():
            return
        infos = process_infos(self.ctl)
        managed = self._managed(names, infos)
        # The others first: the driver may be one of them.
        self._restart_others(names, infos, managed)
        begun = [(name, self._begin(name)) for name in managed]
        self._finish([(name, number) for name, number in begun if number], wait)

    def do_unicorn(self, arg: str) -> None:
        """unicorn status [--json] [NAME ...] | rollback NAME | promote NAME"""
        command, *words = arg.split() or [""]
        names = [word for word in words if word != "--json"]
        as_json = "--json" in words
        if command not in ("status", "rollback", "promote") or (command != "status" and not names):
            self.ctl.output(f"Error: unicorn {printable(command) or 'requires a command'}")
            self.ctl.exitstatus = LSBInitExitStatuses.INVALID_ARGS
            self.help_unicorn()
        elif not self.ctl.upcheck():
            return
        elif "unicorn.status" not in self.ctl.get_server_proxy("system").listMethods():
            self._tell_aside("Error: this supervisord has no [rpcinterface:unicorn]", as_json)
            self.ctl.exitstatus = LSBInitExitStatuses.UNIMPLEMENTED_FEATURE
        elif command == "status":
            self._show_statuses(names, as_json)
        else:
            for name in names:
                self._wish(name, command)

    def help_unicorn(self) -> None:
        """Print the help of `unicorn`."""
        self.ctl.output("unicorn status [--json] [NAME ...]\tShow handovers, running and ended")
        self.ctl.output("unicorn rollback NAME\t\tBack a running handover out")
        self.ctl.output("unicorn promote NAME\t\tEnd the soak of a running handover now")

    def _show_statuses(self, names: list[str], as_json: bool) -> None:
        found = {spec: self._status(spec) for spec in names or process_infos(self.ctl)}
        statuses = [status for status in found.values() if status]
        if as_json:
            self.ctl.output(json.dumps(statuses, indent=2))
        elif not (names or statuses):
            self.ctl.output("no program is managed by [rpcinterface:unicorn]")
        for status in [] if as_json else statuses:
            self.ctl.output(status_line(status))
        for name in names:
            if found[name] is None:
                self._tell_aside(f"{name}: ERROR ({STRANGER})", as_json)
                self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _tell_aside(self, text: str, as_json: bool) -> None:
        """Print what is no JSON where it is not taken for it."""
        print(text, file=sys.stderr if as_json else self.ctl.stdout)

    def _wish(self, name: str, wish: str) -> None:
        try:
            getattr(self._unicorn(), wish)(name)
            self.ctl.output(f"{name}: {wish} begun; see `unicorn status {name}`")
        except FAILURES as error:
            self._fail(name, _why(error))

    def explain(self, arg: str) -> None:
        """supervisorctl's `help`, for which it asks all plugins, and each says what it lacks."""
        if arg == "unicorn":
            self.help_unicorn()
        else:
            Controller.do_help(self.ctl, arg)

    def do_help(self, arg: str) -> None:
        """Our part of the help on all commands, or on one."""
        if arg == "restart":
            self.help_restart()
        elif not arg:
            ControllerPluginBase.do_help(self, arg)

    def help_restart(self) -> None:
        """Print what is different. Supervisor asks every plugin for help, its own first."""
        self.ctl.output(
            "A running program that [rpcinterface:unicorn] manages is handed over to a new master"
            " without\nlosing a request; with --wait, restart returns when that is done, or fails."
        )

    def _stock(self) -> Any:
        return self.ctl.options.plugins[0]

    def _unicorn(self) -> Any:
        return self.ctl.get_server_proxy("unicorn")

    def _managed(self, names: list[str], infos: dict[str, dict[str, Any]]) -> list[str]:
        """The running managed programs that the names mean."""
        meant = [spec for spec, info in infos.items() if any(_means(name, info) for name in names)]
        running = [spec for spec in meant if infos[spec]["state"] in HANDED_OVER]
        return [spec for spec in running if self._status(spec) is not None]

    def _restart_others(
        self, names: list[str], infos: dict[str, dict[str, Any]], managed: list[str]
    ) -> None:
        """Restart what else the names mean as Supervisor does it: stop all, then start all."""
        mixed = [name for name in names if any(_means(name, infos[spec]) for spec in managed)]
        meant = [spec for spec, info in infos.items() if any(_means(name, info) for name in mixed)]
        rest = [spec for spec in meant if spec not in managed]
        others = Others(self.ctl, rest)
        words = " ".join(name for name in names if name not in mixed)
        if words:
            self._stock().do_stop(words)
        others.stop()
        if words:
            self._stock().do_start(words)
        others.start()

    def _status(self, name: str, seen: int = -1) -> dict[str, Any] | None:
        """The status of a managed program, or None if it is not one."""
        try:
            status: dict[str, Any] = self._unicorn().status(name, seen)
        except Fault as fault:
            if fault.faultCode in NOT_MANAGED:
                return None
            raise
        return status

    def _begin(self, name: str) -> int:
        """Ask for a handover and return its number, or 0 if it was refused."""
        try:
            self._unicorn().restart(name, False)
            status = self._status(name) or {}
        except FAILURES as error:
            if _code(error) == Faults.NOT_RUNNING:  # not any more, or its master serves not yet
                self._stock().do_restart(name)
            else:
                self._fail(name, _why(error))
            return 0
        latest = status.get("running") or (status.get("ended") or [{}])[-1]
        return int(status.get("following") or latest.get("number", 0))

    def _finish(self, begun: list[tuple[str, int]], wait: bool) -> None:
        """Say what became of handovers; with `wait`, when they have ended."""
        try:
            while begun:
                self._tell(*begun[0], wait)
                begun.pop(0)
        except KeyboardInterrupt:
            for name, number in begun:
                see = f"supervisorctl unicorn status {name}"
                self.ctl.output(f"{name}: handover {number} is not watched any more; see `{see}`")
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _tell(self, name: str, number: int, wait: bool) -> None:
        if not wait:
            self.ctl.output(f"{name}: started (handover {number} is under way)")
            return
        ended = self._watch(name, number)
        if ended.get("succeeded"):
            pids = f"pid {ended['old_pid']} -> {ended['new_pid']}"
            self.ctl.output(f"{name}: started ({pids} in {ended['seconds']:.1f} s)")
        else:
            self._fail(name, ended["reason"], ended.get("output"))

    def _watch(self, name: str, number: int) -> dict[str, Any]:
        """Wait for the end of a handover, showing how it goes; return its end."""
        show = Progress(name, self.ctl.stdout)
        seen = -1
        try:
            while True:
                status = self._status(name, seen)
                end = _end(status, number)
                if end:
                    show.passed(end.get("passed", []))
                    return end
                seen = status["changes"]  # type: ignore[index]
                show.update(status["running"], number)  # type: ignore[index]
        except FAILURES as error:
            return {"reason": _why(error)}
        finally:
            show.close()

    def _fail(self, name: str, reason: str, output: list[str] | None = None) -> None:
        self.ctl.output(f"{name}: ERROR ({reason})")
        for line in output or []:
            self.ctl.output(f"    | {printable(line)}")
        self.ctl.exitstatus = LSBInitExitStatuses.GENERIC


def _code(error: Exception) -> int:
    return error.faultCode if isinstance(error, Fault) else 0


def _why(error: Exception) -> str:
    if not isinstance(error, Fault):
        return f"supervisord does not answer: {printable(str(error))}"
    if error.faultCode in NOT_MANAGED:
        return STRANGER
    if error.faultCode == Faults.SHUTDOWN_STATE:
        return "supervisord is shutting down or reloading"
    return error.faultString.partition(": ")[2] or error.faultString


def _end(status: dict[str, Any] | None, number: int) -> dict[str, Any] | None:
    """The end of a handover, as its record or as a reason why it has none; None while it runs."""
    if status is None:
        return {"reason": "it is not managed any more"}
    for record in status["ended"]:
        if record["number"] == number:
            return dict(record)
    if status["stranded"]:
        return {"reason": status["stranded"]}
    waits = status["following"] == number or status["running"].get("number") == number
    if status["ended"] and not waits:
        return {"reason": "it was waiting behind a handover that was cancelled"}
    if not status["running"]:
        return {"reason": "supervisord was reloaded, and knows nothing of it any more"}
    return None


def _means(name: str, info: dict[str, Any]) -> bool:
    group, process = split_namespec(name)
    return name == "all" or (info["group"] == group and process in (None, info["name"]))


__all__ = ["UnicornControllerPlugin", "make_ctlplugin"]
