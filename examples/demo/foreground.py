"""`unicorn-handover run` in a folder of its own, as the program's start script has it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from unicorn_handover import __version__

from .hosts import Host
from .servers import BIN


class Foreground(Host):
    """The host that needs no daemon."""

    name = "Foreground"
    restart_words = ("restart", "--wait")

    @property
    def conf(self) -> Path:
        return self.folder / "run"

    @property
    def command(self) -> Sequence[str]:
        return ["/bin/sh", str(self.conf)]

    @property
    def version(self) -> str:
        return f"unicorn-handover {__version__}"

    def configuration(self) -> str:
        words = f"{BIN}/unicorn-handover run --name web --control {self._control}"
        return f"""\
#!/bin/sh
exec >>{self.folder}/web.log 2>&1
exec {words} {self.options} -- {self.app.command}
"""

    @property
    def _control(self) -> Path:
        return self.folder / "control"

    def client(self, *words: str) -> Sequence[str]:
        return [str(BIN / "unicorn-handover"), *words, "--control", str(self._control)]

    def spoken(self) -> str:
        return " ".join(["unicorn-handover", *self.restart_words])

    def master(self) -> int:
        printed = "\n".join(self.lines("status", "--json"))
        return int(json.loads(printed)["pid"])
