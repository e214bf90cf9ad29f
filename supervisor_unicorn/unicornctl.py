"""`supervisorctl unicorn ...`: what else can be asked and commanded than a restart."""

from __future__ import annotations

import json
import sys

from supervisor.states import RUNNING_STATES
from supervisor.supervisorctl import Controller, LSBInitExitStatuses

from unicorn_handover.errors import Refused, printable
from unicorn_handover.progress import status_line, warnings

from .asking import FAILURES, STRANGER, Asking, why
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
            self._show_statuses(self._meant(names), as_json)
        else:
            for name in self._meant(names, running=True):
                self._steer(name, command)

    def help(self) -> None:
        """Print the help of `unicorn`."""
        self.ctl.output("unicorn status [--json] [NAME ...]\tShow handovers, running and ended")
        self.ctl.output("unicorn rollback NAME ...\tBack a running handover out")
        self.ctl.output("unicorn promote NAME ...\tEnd the soak of a running handover now")
        self.ctl.output(
            "unicorn leave NAME ...\t\tLet running programs run on at the next shutdown or "
            "reload of\n\t\t\tsupervisord, for the next one to take over"
        )
        self.ctl.output("NAME may also be GROUP:* or all")

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

    def _meant(self, words: list[str], running: bool = False) -> list[str]:
        """The programs that words name: `all` and GROUP:* mean those that are managed, and run."""
        infos = process_infos(self.ctl) if any(map(_is_of_many, words)) else {}
        found: list[str] = []
        for word in words:
            among = [n for n, info in infos.items() if word in ("all", f"{info['group']}:*")]
            managed = [name for name in among if self._is_managed(name)]
            found += managed or [word]
        if running:
            found = [n for n in found if n not in infos or infos[n]["state"] in RUNNING_STATES]
        return list(dict.fromkeys(found))

    def _is_managed(self, name: str) -> bool:
        try:
            return self._asking.status(name) is not None
        except Refused:
            return True  # which is told of it

    def _fail(self, name: str, error: Exception) -> None:
        self.ctl.output(f"{name}: ERROR ({why(error)})")
        self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _steer(self, name: str, command: str) -> None:
        try:
            getattr(self._asking.calls, command)(name)
            told = f"{command} begun; see `unicorn status {name}`"
            told = "runs on at the next shutdown or reload" if command == "leave" else told
            self.ctl.output(f"{name}: {told}")
        except FAILURES as error:
            self._fail(name, error)


def _is_right(command: str, words: list[str], names: list[str]) -> bool:
    """True if the words are a command, its option and names."""
    if any(name.startswith("-") for name in names):
        return False
    return command == "status" or (command in COMMANDS and bool(names) and words == names)


def _is_of_many(word: str) -> bool:
    return word == "all" or word.endswith(":*")
