"""How a running unicorn was started, and what its re-exec needs (START_CTX, HttpServer#reexec)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ..kernel.system import System
from .base import values
from .configured import Configured, Need, NeedKind, setting, start_directory
from .launch import Launch

CALLS = r"[ \t]*\(?[ \t]*"  # what stands between a setting and its value


def configuration(system: System, argv: Sequence[str], directory: str) -> str:
    """The text of the configuration file, "" if it does not show; a title is one word."""
    paths = values(" ".join(argv).split(), "-c", "--config-file")
    path = os.path.join(directory, paths[-1]) if paths else ""
    return system.text_of(path) if path.startswith("/") else ""


def settings(system: System, pid: int, launch: Launch) -> str:
    """The text of a running master's configuration file, "" if it does not show.

    A file that is gone from where a re-exec would look is read where the host would start unicorn:
    to be wrong about it costs nothing, for a failed re-exec of unicorn does not.
    """
    argv, started = system.command_line(pid), start_directory(system, pid, launch)
    texts = (configuration(system, argv, d) for d in (started, launch.directory) if d)
    return next((text for text in texts if text), "")


def configured(system: System, pid: int, launch: Launch) -> Configured:
    """Read the title and the configuration file.

    `working_directory` takes the place of the directory that unicorn was started in, and is often a
    link to the newest release (Configurator#working_directory).
    """
    argv, started = system.command_line(pid), start_directory(system, pid, launch)
    text = settings(system, pid, launch)
    if not text and values(" ".join(argv).split(), "-c", "--config-file"):
        return Configured("", True, None)
    named = setting(text, "working_directory", CALLS)
    directory = started if named == "" else named or ""
    pidfile = setting(text, "pid", CALLS)
    if pidfile:
        pidfile = os.path.join(directory, pidfile)
    return Configured(directory if directory.startswith("/") else "", named != "", pidfile)


def re_exec_needs(system: System, pid: int) -> Iterator[Need]:
    """The script that it was started by, START_CTX[0], and what runs that.

    The title hides it, and after `bundle exec` the kernel remembers `bundle`.
    """
    yield Need(NeedKind.EXECUTABLE, system.executable(pid))
    script = system.executed_as(pid)
    name = system.command_line(pid)[0].split(" ")[0]
    if not script.startswith("/") or os.path.basename(script) != name:
        return
    yield Need(NeedKind.SCRIPT, script)
    first_line = system.text_of(script).partition("\n")[0]
    words = first_line[2:].split() if first_line.startswith("#!") else []
    yield Need(NeedKind.INTERPRETER, words[0] if words else "")
