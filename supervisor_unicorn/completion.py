"""What supervisorctl's Tab key completes: Supervisor's words, and those of this plugin."""

from __future__ import annotations

from typing import Any

from supervisor.options import make_namespec
from supervisor.supervisorctl import Controller

from .unicornctl import COMMANDS, JSON

WAIT = "--wait"


class Completer:
    """Takes the place of the controller's own `complete`, and asks that for all else."""

    def __init__(self, controller: Controller) -> None:
        self._ctl = controller
        self._infos: list[dict[str, Any]] = []  # of the answer that `_names` were made of
        self._names: list[str] = []

    def complete(self, text: str, state: int, line: str | None = None) -> str | None:
        """Return completion number `state` of the word `text`, the last one of `line`, or None."""
        if line is None:
            import readline  # as Supervisor does it: a Python may lack it

            line = readline.get_line_buffer()
        before = line[: len(line) - len(text)].split()
        if before[:1] == ["unicorn"]:
            return dict(enumerate(self._of_unicorn(before[1:], text))).get(state)
        if before[:1] == ["restart"] and WAIT.startswith(text) and WAIT not in before:
            return f"{WAIT} " if state == 0 else self._stock(text, state - 1, line)
        return self._stock(text, state, line)

    def _stock(self, text: str, state: int, line: str) -> str | None:
        found: str | None = Controller.complete(self._ctl, text, state, line)
        return found

    def _of_unicorn(self, before: list[str], text: str) -> list[str]:
        if not before:
            return _beginning(text, [*COMMANDS, "help"])
        if before[0] not in COMMANDS:
            return []
        options = [JSON] if before[0] == "status" and JSON not in before else []
        return _beginning(text, [*options, *self._managed()])

    def _managed(self) -> list[str]:
        """The managed programs: asked for once, as readline asks for every completion by itself."""
        infos = self._ctl._get_complete_info()  # the same list until the next command
        if infos is not self._infos:
            names = [make_namespec(info["group"], info["name"]) for info in infos]
            calls = [{"methodName": "unicorn.status", "params": [name]} for name in names]
            answers = self._ctl.get_server_proxy("system").multicall(calls)
            self._names = [n for n, answer in zip(names, answers) if "faultCode" not in answer]
            self._infos = infos
        return self._names


def _beginning(text: str, words: list[str]) -> list[str]:
    return [f"{word} " for word in words if word.startswith(text)]
