"""How a person speaks of the hosts and servers."""

from __future__ import annotations

import importlib.metadata
import subprocess

from tests.kit.host import Host
from tests.kit.programs import BIN, UNICORN, Program

RESTARTS = {  # as an operator types them
    "supervisor": "supervisorctl restart --wait web",
    "circus": "circusctl restart web --waiting",
    "foreground": "unicorn-handover restart --wait",
}
DISTRIBUTIONS = {"foreground": "unicorn-handover"}  # where it has another name than the host


def title(host: Host) -> str:
    """A host's name, for people."""
    return host.name.capitalize()


def host_version(host: Host) -> str:
    """A host's name and version."""
    name = DISTRIBUTIONS.get(host.name, host.name)
    shown = name if name != host.name else title(host)
    return f"{shown} {importlib.metadata.version(name)}"


def server_version(program: Program) -> str:
    """The name and version of a program's server."""
    path = UNICORN if program.server == "unicorn" else f"{BIN}/{program.server}"
    asked = subprocess.run([path, "--version"], capture_output=True, text=True)
    return f"{program.server} {asked.stdout.split()[-1].strip('v()')}"
