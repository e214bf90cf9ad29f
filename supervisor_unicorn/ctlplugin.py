"""supervisorctl's side: `restart` that knows of handovers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from xmlrpc.client import Fault

from supervisor.options import make_namespec, split_namespec
from supervisor.states import ProcessStates
from supervisor.supervisorctl import Controller, ControllerPluginBase, LSBInitExitStatuses
from supervisor.xmlrpc import Faults

from unicorn_handover.errors import printable

NOT_MANAGED = (Faults.BAD_NAME, Faults.UNKNOWN_METHOD)
HANDED_OVER = (ProcessStates.RUNNING, ProcessStates.STARTING)


def make_ctlplugin(controller: Controller, **config: str) -> UnicornControllerPlugin:
    """Supervisor's `supervisor.ctl_factory`."""
    plugin = UnicornControllerPlugin(controller)
    # supervisorctl looks for a command in the controller itself, then in its plugins, and its own
    # plugin is the first of those.
    controller.do_restart = plugin.do_restart
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
        names = [word for word in words if word != "--wait"]
        stock = self._stock()
        if not names:
            stock.do_restart("")
            return
        if not self.ctl.upcheck():
            return
        managed = self._managed(names)
        if not managed:
            stock.do_restart(" ".join(names))
            return
        numbers = {name: self._begin(name) for name in managed}
        others = list(self._others(names, managed))
        if others:
            stock.do_stop(" ".join(others))
            stock.do_start(" ".join(others))
        for name, number in numbers.items():
            if number:
                self._finish(name, number, wait)

    def help_restart(self) -> None:
        """Print the help of `restart`: Supervisor's, and what is different."""
        self._stock().help_restart()
        self.ctl.output(
            "A running program that [rpcinterface:unicorn] manages is handed over to a new master"
            " without\nlosing a request; with --wait, restart returns when that is done, or fails."
        )

    def _stock(self) -> Any:
        return self.ctl.options.plugins[0]

    def _unicorn(self) -> Any:
        return self.ctl.get_server_proxy("unicorn")

    def _managed(self, names: list[str]) -> list[str]:
        """The running managed programs that the names mean."""
        infos = self.ctl.get_supervisor().getAllProcessInfo()
        specs = [
            make_namespec(info["group"], info["name"])
            for info in infos
            if info["state"] in HANDED_OVER and any(_means(name, info) for name in names)
        ]
        return [spec for spec in specs if self._status(spec) is not None]

    def _others(self, names: list[str], managed: list[str]) -> Iterator[str]:
        """The names, with those that mean a managed program spelt out as the rest they mean."""
        infos = self.ctl.get_supervisor().getAllProcessInfo()
        for name in names:
            specs = [make_namespec(i["group"], i["name"]) for i in infos if _means(name, i)]
            if set(specs) & set(managed):
                yield from (spec for spec in specs if spec not in managed)
            else:
                yield name

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
        except Fault as fault:
            self._fail(name, fault.faultString.partition(": ")[2] or fault.faultString)
            return 0
        status = self._status(name) or {}
        latest = status.get("running") or (status.get("ended") or [{}])[-1]
        return int(status.get("following") or latest.get("number", 0))

    def _finish(self, name: str, number: int, wait: bool) -> None:
        """Say what became of a handover; with `wait`, when it has ended."""
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
        """Wait for the end of a handover, showing its phases on a terminal; return its end."""
        shown, seen = "", -1
        while True:
            status = self._status(name, seen)
            if status is None:
                return {"reason": "it is not managed any more"}
            for record in status["ended"]:
                if record["number"] == number:
                    return record  # type: ignore[no-any-return]
            if status["stranded"]:
                return {"reason": status["stranded"]}
            running = status["running"]
            if not running:
                return {"reason": "supervisord was reloaded, and knows nothing of it any more"}
            seen = status["changes"]
            text = _progress(running, number)
            if text != shown and sys.stdout.isatty():
                shown = text
                self.ctl.output(f"{name}: {text}")

    def _fail(self, name: str, reason: str, output: list[str] | None = None) -> None:
        self.ctl.output(f"{name}: ERROR ({reason})")
        for line in output or []:
            self.ctl.output(f"    | {printable(line)}")
        self.ctl.exitstatus = LSBInitExitStatuses.GENERIC


def _progress(running: dict[str, Any], number: int) -> str:
    if running["number"] != number:
        return f"waiting for handover {running['number']}, {running['phase']}"
    workers = (
        f", {running['ready']} of {running['total']} workers ready" if running["total"] else ""
    )
    return f"{running['phase']}{workers}"


def _means(name: str, info: dict[str, Any]) -> bool:
    group, process = split_namespec(name)
    return name == "all" or (info["group"] == group and process in (None, info["name"]))


__all__ = ["UnicornControllerPlugin", "make_ctlplugin"]
