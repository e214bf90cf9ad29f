"""Supervisor's own restart for some of the programs that `all` or `GROUP:*` means."""

from __future__ import annotations

import time
from typing import Any

from supervisor.options import make_namespec
from supervisor.states import RUNNING_STATES, ProcessStates
from supervisor.supervisorctl import Controller
from supervisor.xmlrpc import Faults

PAUSE = 0.1  # seconds between two polls of programs that stop or start


def process_infos(controller: Controller) -> dict[str, dict[str, Any]]:
    """Supervisor's state of every program, by the name that supervisorctl uses."""
    infos = controller.get_supervisor().getAllProcessInfo()
    return {make_namespec(info["group"], info["name"]): info for info in infos}


class Others:
    """Some programs, stopped and started all at once and by priority, as `restart all` does it."""

    def __init__(self, controller: Controller, names: list[str]) -> None:
        self.ctl = controller
        self._names = self._in_order(names) if names else []

    def stop(self) -> None:
        """Stop those that run, and say what came of it."""
        for result in self._call("stopProcess", self._those(True), ProcessStates.STOPPING):
            self.ctl.output(self.ctl.options.plugins[0]._stopresult(result))
            self.ctl.set_exitstatus_from_xmlrpc_fault(result["status"], Faults.NOT_RUNNING)

    def start(self) -> None:
        """Start those that do not run, and say what came of it."""
        for result in self._call("startProcess", self._those(False), ProcessStates.STARTING):
            self.ctl.output(self.ctl.options.plugins[0]._startresult(result))
            self.ctl.set_exitstatus_from_xmlrpc_fault(result["status"], Faults.ALREADY_STARTED)

    def _in_order(self, names: list[str]) -> list[str]:
        """Put first what Supervisor starts first."""
        configs = self.ctl.get_supervisor().getAllConfigInfo()
        configs.sort(key=lambda config: (config["group_prio"], config["process_prio"]))
        order = [make_namespec(config["group"], config["name"]) for config in configs]
        return sorted(names, key=lambda name: order.index(name) if name in order else len(order))

    def _those(self, running: bool) -> list[str]:
        """The names of the programs that run, or of those that do not."""
        infos = process_infos(self.ctl) if self._names else {}
        return [n for n in self._names if (infos[n]["state"] in RUNNING_STATES) is running]

    def _call(self, method: str, names: list[str], passing: int) -> list[dict[str, Any]]:
        """Call a method for each, wait until no one is in the passing state, return the results.

        The calls do not wait, and so they are made in this order, and none behind a slow one.
        """
        if not names:
            return []
        calls = [{"methodName": f"supervisor.{method}", "params": [name, False]} for name in names]
        answers = self.ctl.get_server_proxy("system").multicall(calls)
        infos = process_infos(self.ctl)
        while any(infos[name]["state"] == passing for name in names):
            time.sleep(PAUSE)
            infos = process_infos(self.ctl)
        return [_result(infos[name], answer) for name, answer in zip(names, answers)]


def _result(info: dict[str, Any], answer: Any) -> dict[str, Any]:
    """How a stop or start came out, as Supervisor's own results for many programs say it."""
    code = Faults.SUCCESS
    if isinstance(answer, dict):
        code = answer["faultCode"]
    elif info["state"] in (ProcessStates.BACKOFF, ProcessStates.FATAL):
        code = Faults.SPAWN_ERROR if info["spawnerr"] else Faults.ABNORMAL_TERMINATION
    description = answer["faultString"] if isinstance(answer, dict) else "OK"
    return {**info, "status": code, "description": description}
