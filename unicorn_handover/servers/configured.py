"""The settings of a running master: its command line, its environment and plain text.

Nothing is run to learn it. What only Ruby or Python could evaluate stays unknown.
"""

from __future__ import annotations

import enum
import os
import re
from dataclasses import dataclass
from typing import NamedTuple

from ..kernel.system import System
from .launch import Launch


@dataclass(frozen=True)
class Configured:
    """What a re-exec of a master rests on.

    directory: where it re-executes itself, "" if that is not known.
    names_directory: False if the server's own configuration surely names none.
    pidfile: the absolute path of its pid file, "" if it surely has none, None if not known.
    drain_limit: the seconds after which it cuts its last requests, None if never or not known.
    changes_to: the directory that it goes to after that, relative to the former; "" if to none.
    """

    directory: str
    names_directory: bool
    pidfile: str | None
    drain_limit: float | None = None
    changes_to: str = ""

    @property
    def works_in(self) -> str:
        """Where it is once it has started, by the name that it has gone by; "" if not known."""
        path = os.path.join(self.directory, self.changes_to)
        return os.path.normpath(path) if path.startswith("/") else ""


class NeedKind(enum.Enum):
    """What is needed, in the operator's words."""

    EXECUTABLE = "executable"
    INTERPRETER = "interpreter"
    SCRIPT = "script"
    ENVIRONMENT = "virtual environment"


class Need(NamedTuple):
    """What a re-exec cannot do without; the path is "" where it does not show."""

    kind: NeedKind
    path: str


def start_directory(system: System, pid: int, launch: Launch) -> str:
    """The directory that a master was started in, under the name it had there.

    Both servers keep PWD of their environment if that was the working directory then, for it may
    go through a link to the newest release (unicorn's START_CTX; gunicorn's util.getcwd). A shell
    sets it; a host does not, and passes its own on.
    """
    here, named = system.working_directory(pid), system.environ(pid).get("PWD", "")
    if not named or system.real_path(named) == system.real_path(here):
        return named or here
    is_the_hosts = named == os.environ.get("PWD") and launch.directory not in ("", named)
    is_link = system.real_path(named) != os.path.normpath(named)
    return named if is_link and not is_the_hosts else here


def setting(text: str, name: str, between: str) -> str | None:
    """The string that a configuration file gives to a name at its last mention.

    `between` is the pattern of what stands between the two: Ruby calls, Python assigns. "" if the
    name is not mentioned, None if it is given what is not a plain string, or in some case only.
    """
    mentions = re.findall(rf"^([ \t]*){name}\b{between}(.*)$", text, re.MULTILINE)
    if not mentions:
        return ""
    indent, rest = mentions[-1]
    plain = re.fullmatch(r"(?:'([^'\\]*)'|\"([^\"\\#]*)\")\s*[);]*\s*(?:#.*)?", rest)
    return None if indent or not plain else plain[1] or plain[2]
