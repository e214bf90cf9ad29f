"""supervisord's configuration files, section by section as they are written.

Supervisor's own parser joins sections of one name, of all files, and supervisorctl reads the main
file alone (options.py, `ServerOptions.read_config`, `ClientOptions.read_config`).
"""

from __future__ import annotations

import configparser
import glob
import os
import platform
import re
from typing import NamedTuple

from supervisor.options import UnhosedConfigParser, expand

from unicorn_handover.model.options import names_in

PACKAGE = "supervisor_unicorn"
INTERFACE = "rpcinterface:unicorn"
FACTORY = {
    "rpcinterface": "supervisor.rpcinterface_factory",
    "ctlplugin": "supervisor.ctl_factory",
}

_HEADER = re.compile(r"^\[(.+)\]", re.MULTILINE)


class Section(NamedTuple):
    """One section of one file; `name` is without the brackets, `line` counts from 1."""

    file: str
    line: int
    name: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, as FILE:LINE."""
        return f"{self.file}:{self.line}"

    def values(self) -> dict[str, str]:
        """Its keys and values, with what Supervisor expands; empty if Supervisor cannot read it."""
        parser = UnhosedConfigParser()
        environment = {f"ENV_{key}": value for key, value in os.environ.items()}
        here = os.path.dirname(self.file)
        known = {**environment, "here": here, "host_node_name": platform.node()}
        try:
            parser.read_string(self.text)
            return {k: expand(v, known, k) for k, v in parser.items(self.name)}
        except (ValueError, configparser.Error):
            return {}

    def is_ours(self, kind: str) -> bool:
        """True if this is an [rpcinterface:...] or a [ctlplugin:...] of this package."""
        factory = self.values().get(FACTORY[kind], "") if self.name.startswith(f"{kind}:") else ""
        return factory.partition(":")[0].strip().partition(".")[0] == PACKAGE

    def programs(self) -> list[str]:
        """The names that the key `programs` lists."""
        return names_in(self.values().get("programs", ""))


class ConfFiles:
    """A main file and those it includes. A file that cannot be read has no sections."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.main = _sections_of(self.path)
        self.included = [section for path in self._includes() for section in _sections_of(path)]

    @property
    def sections(self) -> list[Section]:
        """All sections, in the order in which Supervisor reads them."""
        return [*self.main, *self.included]

    def ours(self, kind: str) -> list[Section]:
        """This package's sections of a kind, "rpcinterface" or "ctlplugin"."""
        return [section for section in self.sections if section.is_ours(kind)]

    def _includes(self) -> list[str]:
        # Of several [include] sections Supervisor knows the last `files`.
        including = [section for section in self.main if section.name == "include"]
        patterns = [
            p for section in including[-1:] for p in section.values().get("files", "").split()
        ]
        folder = os.path.dirname(self.path)
        return [f for p in patterns for f in sorted(glob.glob(os.path.join(folder, p)))]


def _sections_of(path: str) -> list[Section]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return []
    heads = list(_HEADER.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        Section(path, text.count("\n", 0, head.start()) + 1, head[1], text[head.start() : end])
        for head, end in zip(heads, ends)
    ]
