"""How a running gunicorn was started, and what its re-exec needs (Arbiter.START_CTX, .reexec)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from ..kernel.system import System
from .base import title, values
from .configured import Configured, Need, NeedKind, setting, start_directory
from .launch import Launch, words_of

ASSIGNS = r"[ \t]*=(?!=)[ \t]*"  # what stands between a setting and its value
GRACEFUL_TIMEOUT = "30"  # seconds, config.GracefulTimeout
DEFAULT_FILE = "gunicorn.conf.py"  # read if it is there (config.get_default_config_file)


def configured(system: System, pid: int, launch: Launch) -> Configured:
    """Read the command line, GUNICORN_CMD_ARGS and the configuration file, in that order.

    The directory of a re-exec is the working directory after `chdir` (Arbiter.setup).
    """
    words, directory = _words(system, pid, launch), start_directory(system, pid, launch)
    text = _configuration(system, words, directory)
    chdir = _value(words, text, ("", "--chdir"), "chdir")
    pidfile = _value(words, text, ("-p", "--pid"), "pidfile")
    if pidfile:
        pidfile = os.path.join(system.working_directory(pid), pidfile)
    names = chdir is None or chdir.startswith("/")
    return Configured(directory, names, pidfile, _drain_limit(words, text))


def re_exec_needs(system: System, pid: int) -> Iterator[Need]:
    """sys.executable and sys.argv[0], which the command line shows until a title is over it.

    Under a title the kernel still knows what was executed, the script or, after a re-exec, the
    interpreter; and where what the interpreter has loaded comes from.
    """
    yield Need(NeedKind.EXECUTABLE, system.executable(pid))
    if not title(system, pid):
        words = system.command_line(pid)
        yield Need(NeedKind.INTERPRETER, _interpreter(system, pid, words[0]))
        yield Need(NeedKind.SCRIPT, next((w for w in words[1:3] if w.startswith("/")), ""))
        return
    executed = system.executed_as(pid)
    yield Need(NeedKind.INTERPRETER, executed if executed.startswith("/") else "")
    for path in system.mapped_files(pid):
        found = re.match(r".+/lib/python[\d.]+/site-packages(?=/)", path)
        yield Need(NeedKind.ENVIRONMENT, found[0] if found else "")


def _words(system: System, pid: int, launch: Launch) -> list[str]:
    """The words of GUNICORN_CMD_ARGS and of the command line; later ones count.

    A title of setproctitle is over both: then the command is read that the host would start now.
    """
    words = list(launch.command) if title(system, pid) else system.command_line(pid)
    return [*words_of(system.environ(pid).get("GUNICORN_CMD_ARGS", "")), *words]


def _configuration(system: System, words: Sequence[str], directory: str) -> str | None:
    """The text of the configuration file, "" if there is none, None if it cannot be read."""
    files = [file.partition("file:")[2] or file for file in values(words, "-c", "--config")]
    if not directory:
        return None
    text = system.text_of(os.path.join(directory, (files or [DEFAULT_FILE])[-1]))
    return text if text or not files else None


def _drain_limit(words: Sequence[str], text: str | None) -> float | None:
    """`graceful_timeout` in seconds, after which Arbiter.stop kills the workers."""
    given = values(words, "", "--graceful-timeout")[-1:]
    if not given and text is not None:
        given = re.findall(
            rf"^[ \t]*graceful_timeout{ASSIGNS}(.*?)\s*(?:#.*)?$", text, re.MULTILINE
        )
        given = given[-1:] or [GRACEFUL_TIMEOUT]
    return float(given[0]) if given and re.fullmatch(r"\d{1,9}", given[0]) else None


def _value(words: Sequence[str], text: str | None, flags: tuple[str, str], name: str) -> str | None:
    """What the command line gives to an option or, without that, the file; None if not known."""
    given = values(words, *flags)
    return given[-1] if given else None if text is None else setting(text, name, ASSIGNS)


def _interpreter(system: System, pid: int, word: str) -> str:
    """The path that python has for itself (sys.executable) if it was started by `word`."""
    if "/" in word:
        return os.path.join(system.working_directory(pid), word)
    return system.find_command(word, system.environ(pid).get("PATH"))
