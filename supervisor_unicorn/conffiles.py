"""supervisord's configuration files, section by section as they are written.

Supervisor's own parser joins sections of one name, of all files, and supervisorctl reads the main
file alone (options.py, `ServerOptions.read_config`, `ClientOptions.read_config`).
"""

from __future__ import annotations

import configparser
import glob
import os
import platform

from supervisor.options import UnhosedConfigParser, expand

from unicorn_handover.host.sections import Section, sections_of
from unicorn_handover.model.options import names_in

PACKAGE = "supervisor_unicorn"
INTERFACE = "rpcinterface:unicorn"
FACTORY = {
    "rpcinterface": "supervisor.rpcinterface_factory",
    "ctlplugin": "supervisor.ctl_factory",
}


def values(section: Section) -> dict[str, str]:
    """Return keys and values with what Supervisor expands; none if Supervisor cannot read them."""
    parser = UnhosedConfigParser()
    environment = {f"ENV_{key}": value for key, value in os.environ.items()}
    here = os.path.dirname(section.file)
    known = {**environment, "here": here, "host_node_name": platform.node()}
    try:
        parser.read_string(section.text)
        return {key: expand(value, known, key) for key, value in parser.items(section.name)}
    except (ValueError, configparser.Error):
        return {}


def is_ours(section: Section, kind: str) -> bool:
    """True if this is an [rpcinterface:...] or a [ctlplugin:...] of this package."""
    if not section.name.startswith(f"{kind}:"):
        return False
    factory = values(section).get(FACTORY[kind], "")
    return factory.partition(":")[0].strip().partition(".")[0] == PACKAGE


def programs(section: Section) -> list[str]:
    """The names that the key `programs` lists."""
    return names_in(values(section).get("programs", ""))


class ConfFiles:
    """A main file and those it includes. A file that cannot be read has no sections."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.main = sections_of(self.path)
        self.included = [section for path in self._includes() for section in sections_of(path)]

    @property
    def sections(self) -> list[Section]:
        """All sections, in the order in which Supervisor reads them."""
        return [*self.main, *self.included]

    def ours(self, kind: str) -> list[Section]:
        """This package's sections of a kind, "rpcinterface" or "ctlplugin"."""
        return [section for section in self.sections if is_ours(section, kind)]

    def _includes(self) -> list[str]:
        # Of several [include] sections Supervisor knows the last `files`.
        including = [section for section in self.main if section.name == "include"]
        patterns = [
            p for section in including[-1:] for p in values(section).get("files", "").split()
        ]
        directory = os.path.dirname(self.path)
        found = [f for p in patterns for f in sorted(glob.glob(os.path.join(directory, p)))]
        return [path for path in dict.fromkeys(found) if path != self.path]  # each once
