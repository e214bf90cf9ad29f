"""How a gunicorn is or was started, and what its re-exec needs (Arbiter.START_CTX, .reexec)."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from ..kernel.system import System
from .base import Addresses, literals, title, values
from .configured import Configured, Need, NeedKind, setting, start_directory
from .launch import Launch, words_of

ASSIGNS = r"[ \t]*=(?!=)[ \t]*"  # what stands between a setting and its value
GRACEFUL_TIMEOUT = "30"  # seconds, config.GracefulTimeout
DEFAULT_FILE = "gunicorn.conf.py"  # read if it is there (config.get_default_config_file)


def configured(system: System, pid: int, launch: Launch) -> Configured:
    """Read the command line, GUNICORN_CMD_ARGS and the configuration file, in that order.

    Where a title is over the command line, that is the one which the host would start now. The
    directory of a re-exec is the working directory after `chdir` (Arbiter.setup).
    """
    argv = launch.command if title(system, pid) else system.command_line(pid)
    given, directory = _given(argv, system.environ(pid)), start_directory(system, pid, launch)
    text = _configuration(system, given, directory)
    chdir = _value(given, text, ("", "--chdir"), "chdir")
    pidfile = _value(given, text, ("-p", "--pid"), "pidfile")
    if pidfile:
        pidfile = os.path.join(system.working_directory(pid), pidfile)
    names = chdir is None or chdir.startswith("/")
    return Configured(directory, names, pidfile, _drain_limit(given, text), chdir or "")


def re_exec_needs(system: System, pid: int) -> Iterator[Need]:
    """sys.executable and sys.argv[0], which the command line shows until a title is over it.

    Under a title the kernel still knows what was executed, the script or, after a re-exec, the
    interpreter; and where what the interpreter has loaded comes from.
    """
    yield Need(NeedKind.EXECUTABLE, system.executable(pid))
    if not title(system, pid):
        argv = system.command_line(pid)
        yield Need(NeedKind.INTERPRETER, _interpreter(system, pid, argv[0]))
        yield Need(NeedKind.SCRIPT, next((w for w in argv[1:3] if w.startswith("/")), ""))
        return
    executed = system.executed_as(pid)
    yield Need(NeedKind.INTERPRETER, executed if executed.startswith("/") else "")
    for path in system.mapped_files(pid):
        found = re.match(r".+/lib/python[\d.]+/site-packages(?=/)", path)
        yield Need(NeedKind.ENVIRONMENT, found[0] if found else "")


def pid_files(
    system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
) -> list[str]:
    """-p in the command line or GUNICORN_CMD_ARGS, `pidfile = "..."` in the configuration."""
    given, text, directory = _settings(system, argv, directory, environ)
    found = [*literals(text, rf"pidfile{ASSIGNS}"), *values(given, "-p", "--pid")]
    return [os.path.join(directory, path) for path in found if path]


def is_daemon(system: System, argv: Sequence[str], directory: str) -> bool:
    """True if plain text of the configuration file sends it into the background (`daemon`)."""
    text = _configuration(system, argv, directory or "/") or ""
    return re.findall(rf"^daemon{ASSIGNS}(\w+)", text, re.MULTILINE)[-1:] == ["True"]


def addresses(
    system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
) -> Addresses:
    """-b, else `bind`, else PORT. None is fixed if one is a name, which a look-up would resolve.

    Arbiter.start reads no address if there is GUNICORN_FD.
    """
    given, text, directory = _settings(system, argv, directory, environ)
    options = values(given, "-b", "--bind")
    bound = options or literals(text, rf"bind{ASSIGNS}")[-1:]
    names = [_listener_name(each.strip(), directory) for each in ",".join(bound).split(",")]
    lines = re.findall(r"^[ \t]*bind\b.*", text, re.MULTILINE)
    said = [*options, *lines, environ.get("PORT", "")]
    return Addresses(said, names if all(names) else [])


def _settings(
    system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
) -> tuple[list[str], str, str]:
    """The argv with the environment's part, the configuration, and the directory after `chdir`."""
    given = _given(argv, environ)
    text = _configuration(system, given, directory) or ""
    return given, text, os.path.join(directory, *values(given, "", "--chdir")[-1:])


def _given(argv: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """GUNICORN_CMD_ARGS and the command line; what is later counts."""
    return [*words_of(environ.get("GUNICORN_CMD_ARGS", "")), *argv]


def _configuration(system: System, argv: Sequence[str], directory: str) -> str | None:
    """The text of the configuration file, "" if there is none, None if it cannot be read."""
    files = [file.partition("file:")[2] or file for file in values(argv, "-c", "--config")]
    if not directory:
        return None
    text = system.text_of(os.path.join(directory, (files or [DEFAULT_FILE])[-1]))
    return text if text or not files else None


def _drain_limit(argv: Sequence[str], text: str | None) -> float | None:
    """`graceful_timeout` in seconds, after which Arbiter.stop kills the workers."""
    given = values(argv, "", "--graceful-timeout")[-1:]
    if not given and text is not None:
        given = re.findall(
            rf"^[ \t]*graceful_timeout{ASSIGNS}(.*?)\s*(?:#.*)?$", text, re.MULTILINE
        )
        given = given[-1:] or [GRACEFUL_TIMEOUT]
    return float(given[0]) if given and re.fullmatch(r"\d{1,9}", given[0]) else None


def _value(argv: Sequence[str], text: str | None, flags: tuple[str, str], name: str) -> str | None:
    """What the command line gives to an option or, without that, the file; None if not known."""
    given = values(argv, *flags)
    return given[-1] if given else None if text is None else setting(text, name, ASSIGNS)


def _interpreter(system: System, pid: int, word: str) -> str:
    """The path that python has for itself (sys.executable) if it was started by `word`."""
    if "/" in word:
        return os.path.join(system.working_directory(pid), word)
    return system.find_command(word, system.environ(pid).get("PATH"))


def _listener_name(address: str, directory: str) -> str:
    """An address of gunicorn's (util.parse_address) as `Listener.name`, "" if that is not sure."""
    if address.startswith("unix:"):
        return f"unix:{os.path.join(directory, re.sub('^unix:(//)?', '', address))}"
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()):
        return ""
    with contextlib.suppress(ValueError):
        plain = ipaddress.ip_address(host.strip("[]") or "0.0.0.0")
        return f"[{plain}]:{port}" if plain.version == 6 else f"{plain}:{port}"
    return ""
