"""`supervisorctl unicorn ...`: what else can be asked and commanded than a restart."""

from __future__ import annotations

import json
import sys

from supervisor.states import RUNNING_STATES
from supervisor.supervisorctl import Controller, LSBInitExitStatuses

from unicorn_handover.errors import Refused, printable
from unicorn_handover.progress import status_line, warnings

from .asking import FAILURES, NOT_MANAGED, STRANGER, Asking, code, why
from .stock import process_infos

COMMANDS = ("status", "rollback", "promote", "leave")
JSON = "--json"


class UnicornCommand:
    """One `unicorn` command of supervisorctl."""

    def __init__(self, controller: Controller) -> None:
        self.ctl = controller
        self._asking = Asking(controller)

    def run(self, arg: str) -> None:
        """Do what the words say, or say what they should be."""
        command, *words = arg.split() or [""]
        names = [word for word in words if word != JSON]
        as_json = JSON in words
        if command == "help":
            self.help()
        elif not _is_right(command, words, names):
            self.ctl.output(f"Error: unicorn {printable(arg) or 'requires a command'}")
            self.ctl.exitstatus = LSBInitExitStatuses.INVALID_ARGS
            self.help()
        elif not self.ctl.upcheck():
            return
        elif not self._asking.is_loaded:
            self._tell_aside("Error: this supervisord has no [rpcinterface:unicorn]", as_json)
            self.ctl.exitstatus = LSBInitExitStatuses.UNIMPLEMENTED_FEATURE
        elif command == "status":
            self._show_statuses(names, as_json)
        elif command == "leave":
            self._leave(names)
        else:
            for name in names:
                self._steer(name, command)

    def help(self) -> None:
        """Print the help of `unicorn`."""
        self.ctl.output("unicorn status [--json] [NAME ...]\tShow handovers, running and ended")
        self.ctl.output("unicorn rollback NAME ...\tBack a running handover out")
        self.ctl.output("unicorn promote NAME ...\tEnd the soak of a running handover now")
        self.ctl.output(
            "unicorn leave NAME ... | all\tLet running programs run on at the next shutdown or "
            "reload of\n\t\t\tsupervisord, for the next one to take over"
        )

    def _show_statuses(self, names: list[str], as_json: bool) -> None:
        statuses = []
        for name in names or process_infos(self.ctl):
            try:
                status, reason = self._asking.status(name), STRANGER if names else ""
            except Refused as refusal:
                status, reason = None, str(refusal)
            if status is not None:
                statuses.append(status)
            elif reason:
                self._tell_aside(f"{name}: ERROR ({reason})", as_json)
                if names:
                    self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
        if as_json:
            self.ctl.output(json.dumps(statuses, indent=2))
        elif not (names or statuses):
            self.ctl.output("no program is managed by [rpcinterface:unicorn]")
        if not as_json:
            for line in [*map(status_line, statuses), *warnings(statuses)]:
                self.ctl.output(line)

    def _tell_aside(self, text: str, as_json: bool) -> None:
        """Print what is no JSON where it is not taken for it."""
        print(text, file=sys.stderr if as_json else self.ctl.stdout)

    def _leave(self, names: list[str]) -> None:
        everything = "all" in names
        for name in self._running() if everything else names:
            try:
                self._asking.calls.leave(name)
                self.ctl.output(f"{name}: runs on at the next shutdown or reload")
            except FAILURES as error:
                if not (everything and code(error) in NOT_MANAGED):
                    self._fail(name, error)

    def _running(self) -> list[str]:
        infos = process_infos(self.ctl)
        return [name for name, info in infos.items() if info["state"] in RUNNING_STATES]

    def _fail(self, name: str, error: Exception) -> None:
        self.ctl.output(f"{name}: ERROR ({why(error)})")
        self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _steer(self, name: str, command: str) -> None:
        try:
            getattr(self._asking.calls, command)(name)
            self.ctl.output(f"{name}: {command} begun; see `unicorn status {name}`")
        except FAILURES as error:
            self._fail(name, error)


def _is_right(command: str, words: list[str], names: list[str]) -> bool:
    """True if the words are a command, its option and names."""
    if any(name.startswith("-") for name in names):
        return False
    return command == "status" or (command in COMMANDS and bool(names) and words == names)
