"""The pid file of a gunicorn whose configuration computes its path: only Python can tell."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..kernel.system import System
from .base import title
from .gunicorn_start import configured, is_daemon
from .launch import Launch
from .next_start import NextStart

COMMAND = re.compile(r"(.*/)?gunicorn([^/]*|/__main__\.py)")
PYTHON = re.compile(r"(.*/)?python[\d.]*")
# The constructor reads command line, environment and file, as for a start; it loads no application.
SCRIPT = """\
import os, sys
if sys.path[0] == "":  # a configuration may be called gunicorn.py
    del sys.path[0]
from gunicorn.app.wsgiapp import WSGIApplication
path = WSGIApplication("%(prog)s").cfg.pidfile
print("pidfile=" + (os.path.join(os.getcwd(), path) if path else ""))
"""


class GunicornNextStart(NextStart):
    """gunicorn's own reading of its configuration.

    A new master that finds its pid file taken says so when its workers serve already, and cuts what
    they have accepted (Arbiter.maybe_promote_master): so the path must be known before.
    """

    daemonised_by = ("-D", "--daemon")

    def goes_away(self, system: System, launch: Launch) -> str:
        """By its command, or by its configuration."""
        if is_daemon(system, launch.command, launch.directory):
            return "daemon = True in its configuration sends it into the background; take that out"
        return super().goes_away(system, launch)

    def trial(self, system: System, master: int, launch: Launch) -> tuple[str, ...]:
        """The python of the command, with its options, if the path does not show plainly."""
        if configured(system, master, launch).pidfile is not None:
            return ()
        argv = launch.command if title(system, master) else system.command_line(master)
        at = next((n for n, word in enumerate(argv[:4]) if COMMAND.fullmatch(word)), None)
        if at is None:
            return ()
        before = [word for word in argv[:at] if word != "-m"]
        python = before if before else _first_line(system, argv[0], launch)
        return (*python, "-c", SCRIPT, *argv[at + 1 :]) if _is_python(python) else ()

    def pid_file(self, output: str) -> str | None:
        """What the script has printed last; the configuration may have printed, too."""
        found = re.findall(r"^pidfile=(.*)$", output, re.MULTILINE)
        return found[-1] if found else None


def _first_line(system: System, script: str, launch: Launch) -> list[str]:
    """The words by which a script names its interpreter."""
    places = {**os.environ, **launch.environ}.get("PATH")
    path = script if "/" in script else system.find_command(script, places)
    line = system.text_of(path).partition("\n")[0]
    return line[2:].split() if line.startswith("#!") else []


def _is_python(argv: Sequence[str]) -> bool:
    return bool(argv) and PYTHON.fullmatch(argv[0]) is not None
