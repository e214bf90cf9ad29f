"""What can be known to go wrong before the first signal, when a refusal still costs nothing."""

from __future__ import annotations

import os

from .errors import Refused, printable
from .options import Options
from .servers import RE_EXEC, SERVERS, Server, recognise
from .system import Process, System


def identify(system: System, master: Process, options: Options) -> Server:
    """Return the server a master runs. Raises Refused if it is none that can be handed over."""
    if options.server != "auto":
        return SERVERS[options.server]
    words = system.command_line(master.pid)
    server = recognise(words)
    if server is None:
        shown = printable(" ".join(words), 80)
        raise Refused(
            f"pid {master.pid} ({shown}) is neither unicorn nor gunicorn; start the server itself, "
            "with `exec` if a shell script does it, or set the `server` option"
        )
    return server


def check(system: System, master: Process, server: Server) -> None:
    """Look at all that a re-exec of a living master needs. Raises Refused with the first fault."""
    masks = system.signal_masks(master.pid)
    if masks is None or not masks.catches(RE_EXEC):
        raise Refused(
            f"pid {master.pid} does not handle USR2 and would die of it: {server.name} is still "
            "starting, or this is not its master; try again when it serves"
        )
    _refuse_second_master(system, master)
    _refuse_missing_paths(system, master, server)


def _refuse_second_master(system: System, master: Process) -> None:
    for pid in system.children(master.pid):
        if any(server.is_successor(system, pid, master.pid) for server in SERVERS.values()):
            raise Refused(
                f"pid {master.pid} already has a new master, pid {pid}, from a USR2 sent by hand; "
                "end one of the two with its graceful signal"
            )


def _refuse_missing_paths(system: System, master: Process, server: Server) -> None:
    folder = server.folder(system, master.pid)
    if folder and not os.path.isdir(folder):
        raise Refused(
            f"the working directory of pid {master.pid}, {printable(folder)}, is gone, and "
            "a master re-executes itself there; make it again"
        )
    executable = system.executable(master.pid)
    if executable and not os.access(executable, os.X_OK):
        raise Refused(
            f"the executable of pid {master.pid}, {printable(executable)}, is gone or may not be "
            "run; install it again"
        )
    script = _script(system.command_line(master.pid))
    if script and not os.path.isfile(script):
        raise Refused(
            f"the script of pid {master.pid}, {printable(script)}, is gone; install it again"
        )


def _script(words: list[str]) -> str:
    """The absolute path an interpreter was started with, if the command line still shows one."""
    return next((word for word in words[1:3] if word.startswith("/")), "")
