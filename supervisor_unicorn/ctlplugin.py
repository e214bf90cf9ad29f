"""supervisorctl's side: `restart` that knows of handovers."""

from __future__ import annotations

import os
from typing import Any

from supervisor.options import split_namespec
from supervisor.states import ProcessStates
from supervisor.supervisorctl import Controller, ControllerPluginBase, LSBInitExitStatuses
from supervisor.xmlrpc import Faults

from unicorn_handover.errors import Refused, printable
from unicorn_handover.progress import (
    Outcome,
    Progress,
    begun_line,
    failure_lines,
    has_succeeded,
    outcome_lines,
    unwatched_line,
)

from .asking import FAILURES, Asking, code, why
from .completion import WAIT, Completer
from .stock import Others, process_infos
from .unicornctl import UnicornCommand
from .update import Update
from .waiting import waits

HANDED_OVER = (ProcessStates.RUNNING, ProcessStates.STARTING)


def make_ctlplugin(controller: Controller, /, **config: str) -> UnicornControllerPlugin:
    """Supervisor's `supervisor.ctl_factory`. `config` is the section's keys and values."""
    plugin = UnicornControllerPlugin(controller, config)
    # supervisorctl looks for a command in the controller itself, then in its plugins, and its own
    # plugin is the first of those.
    controller.do_restart = plugin.do_restart
    controller.do_update = plugin.do_update
    controller.do_help = plugin.explain
    controller.complete = Completer(controller).complete
    return plugin


class UnicornControllerPlugin(ControllerPluginBase):  # type: ignore[misc]
    """The restart of managed programs; for all others Supervisor's own."""

    name = "unicorn"

    def __init__(self, controller: Controller, config: dict[str, str]) -> None:
        self.ctl = controller
        self._config = config
        self.asking = Asking(controller)

    def do_restart(self, arg: str) -> None:
        """restart [--wait] NAME ... | GROUP:* | all"""
        words = arg.split()
        try:
            wait = self._waits(words)
        except Refused as wrong:  # before anything is stopped
            self.ctl.output(f"Error: {wrong}")
            self.ctl.exitstatus = LSBInitExitStatuses.INVALID_ARGS
            return
        names = ["all"] if "all" in words else [word for word in words if word != WAIT]
        if not names:
            self.stock().do_restart("")
        elif self.ctl.upcheck():
            self._restart(names, wait)

    def _waits(self, words: list[str]) -> bool:
        """True if the command is to wait. Raises Refused for a word that it does not know."""
        for word in words:
            if word.startswith("-") and word != WAIT:
                raise Refused(f"restart has no option {printable(word, 60)}; it is {WAIT}")
        return WAIT in words or waits(f"ctlplugin:{self.name}", self._config, os.environ)

    def _restart(self, names: list[str], wait: bool) -> None:
        infos = process_infos(self.ctl)
        managed = self._managed(names, infos)
        # The others first: the driver may be one of them.
        self._restart_others(names, infos, list(managed))
        for name, refusal in managed.items():
            if refusal:
                self.fail(name, refusal)
        begun = [(name, self._begin(name)) for name, refusal in managed.items() if not refusal]
        self.finish([(name, number) for name, number in begun if number], wait)

    def do_update(self, arg: str) -> None:
        """update [GROUP ...] | all"""
        if self.ctl.upcheck():
            Update(self).run(arg)

    def do_unicorn(self, arg: str) -> None:
        """unicorn status [--json] [NAME ...] | rollback, promote, leave NAME ... | help"""
        UnicornCommand(self.ctl).run(arg)

    def help_unicorn(self) -> None:
        """Print the help of `unicorn`."""
        UnicornCommand(self.ctl).help()

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
            "restart [--wait] <name> ...\tHand running programs that [rpcinterface:unicorn] "
            "manages\n\t\t\tover to a new master without losing a request; with\n\t\t\t--wait, "
            "return when that is done, or fail"
        )

    def stock(self) -> Any:
        """Supervisor's own commands."""
        return self.ctl.options.plugins[0]

    def _managed(self, names: list[str], infos: dict[str, dict[str, Any]]) -> dict[str, str]:
        """The running managed programs that the names mean, each with why it is refused, or ""."""
        managed = {}
        for spec, info in infos.items():
            if info["state"] not in HANDED_OVER or not any(_means(name, info) for name in names):
                continue
            try:
                if self.asking.manages(info):
                    managed[spec] = ""
            except Refused as refusal:
                managed[spec] = str(refusal)
        return managed

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
            self.stock().do_stop(words)
        others.stop()
        if words:
            self.stock().do_start(words)
        others.start()

    def _begin(self, name: str) -> int:
        """Ask for a handover and return its number, or 0 if it was refused."""
        try:
            return int(self.asking.calls.request(name))
        except FAILURES as error:
            if code(error) == Faults.NOT_RUNNING:  # not any more, or its master serves not yet
                self.stock().do_restart(name)
            else:
                self.fail(name, why(error))
            return 0

    def finish(self, begun: list[tuple[str, int]], wait: bool) -> None:
        """Say what became of handovers; with `wait`, when they have ended."""
        try:
            while begun:
                self._tell(*begun[0], wait)
                begun.pop(0)
        except KeyboardInterrupt:
            for name, number in begun:
                see = f"supervisorctl unicorn status {name}"
                self.ctl.output(unwatched_line(name, number, see))
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _tell(self, name: str, number: int, wait: bool) -> None:
        if not wait:
            self.ctl.output(begun_line(name, number))
            return
        outcome = self._watch(name, number)
        self._output(outcome_lines(name, outcome), failed=not has_succeeded(outcome))

    def _watch(self, name: str, number: int) -> Outcome:
        """Wait for the end of a handover, showing how it goes; return what became of it."""
        show = Progress(name, self.ctl.stdout)
        try:
            return show.follow(number, self.asking.outcomes(name, number))
        except FAILURES as error:
            return {"reason": why(error)}

    def fail(self, name: str, reason: str) -> None:
        """Print that a handover failed."""
        self._output(failure_lines(name, reason), failed=True)

    def _output(self, lines: list[str], failed: bool) -> None:
        for line in lines:
            self.ctl.output(line)
        if failed:
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC


def _means(name: str, info: dict[str, Any]) -> bool:
    group, process = split_namespec(name)
    return name == "all" or (info["group"] == group and process in (None, info["name"]))


__all__ = ["UnicornControllerPlugin", "make_ctlplugin"]
