"""supervisorctl's `update`: changed programs that are managed are handed over."""

from __future__ import annotations

from typing import Any, Protocol
from xmlrpc.client import Fault

from supervisor.supervisorctl import Controller

from .asking import FAILURES, NOT_MANAGED, Asking, code, why


class Commands(Protocol):
    """What an update needs of the plugin that it is a command of."""

    ctl: Controller
    asking: Asking

    def stock(self) -> Any:
        """Supervisor's own commands."""

    def finish(self, begun: list[tuple[str, int]], wait: bool) -> None:
        """Say what became of handovers; with `wait`, when they have ended."""

    def fail(self, name: str, reason: str) -> None:
        """Say that a handover failed."""


class Update:
    """One `update` command. Groups that it does not hand over are left to Supervisor's own.

    ours: the numbers of the handovers that have begun, by program, for each group.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._ctl = commands.ctl
        self._ours: dict[str, dict[str, int]] = {}
        self._refused: set[str] = set()

    def run(self, arg: str) -> None:
        """Do it for some groups, or for all, and wait for its end."""
        named = set() if "all" in arg.split() else set(arg.split())
        try:
            added, changed, removed = self._ctl.get_supervisor().reloadConfig()[0]
        except Fault:  # a bad configuration, or a supervisord that ends: Supervisor has its words
            self._commands.stock().do_update(arg)
            return
        for group in changed:
            if not named or group in named:
                self._begin(group)
        rest = (named or {*added, *changed, *removed}) - set(self._ours) - self._refused
        if rest:
            self._commands.stock().do_update(" ".join(sorted(rest)))
        for group, numbers in self._ours.items():
            self._finish(group, numbers)

    def _begin(self, group: str) -> None:
        """Begin a group's handovers, if it is not Supervisor's."""
        try:
            answer = self._commands.asking.calls.update(group)
        except FAILURES as error:
            if code(error) not in NOT_MANAGED:
                self._refused.add(group)
                self._commands.fail(group, why(error))
            return
        if answer["handled"]:
            self._ours[group] = answer["numbers"]
        elif answer["why"]:
            self._ctl.output(f"{group}: stopped and added again, not handed over ({answer['why']})")

    def _finish(self, group: str, numbers: dict[str, int]) -> None:
        before, self._ctl.exitstatus = self._ctl.exitstatus, 0
        self._commands.finish(list(numbers.items()), wait=True)
        if self._ctl.exitstatus == 0:
            self._ctl.output(f"{group}: updated process group")
        self._ctl.exitstatus = self._ctl.exitstatus or before
