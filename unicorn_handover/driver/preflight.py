"""What can be known to go wrong before the first signal, when a refusal still costs nothing."""

from __future__ import annotations

import os

from ..errors import Refused, printable
from ..kernel.process import Process
from ..kernel.system import System
from ..model.options import Options
from ..model.record import Record
from ..servers import Server, is_any_successor, recognise, server_of


def identify(system: System, master: Process, options: Options) -> Server:
    """Return the server a master runs. Raises Refused if it is none that can be handed over."""
    server = server_of(system, master.pid, options.server)
    if server is None:
        shown = printable(" ".join(system.command_line(master.pid)), 80)
        raise Refused(
            f"pid {master.pid} ({shown}) is neither unicorn nor gunicorn; start the server itself, "
            "with `exec` if a shell script does it, or set the `server` option"
        )
    return server


def has_execed(system: System, master: Process) -> bool:
    """True once a program that the host started shows its own command line, not the host's."""
    stat = system.stat(master.pid)
    return stat is not None and not stat.forked_only


def is_starting(system: System, master: Process, server: Server) -> bool:
    """True while a server's master is not yet where it obeys signals.

    USR2 would kill it, though a starting ruby traps that, or be obeyed at some later time.
    """
    runs_it = recognise(system.command_line(master.pid)) is server
    return runs_it and not server.accepts_signals(system, master.pid)


def method(system: System, master: Process, server: Server, record: Record) -> tuple[str, str]:
    """Return how the new master is to come to be, and why so. Raises Refused if it cannot."""
    if record.method == "spawn" or (record.method == "auto" and record.why):
        check_master(system, master, server)
        return "spawn", record.why
    check(system, master, server)
    return "usr2", ""


def can_re_exec(system: System, master: Process, server: Server) -> bool:
    """True if nothing that can be seen speaks against a re-exec of a master."""
    try:
        check(system, master, server)
    except (Refused, PermissionError):
        return False
    return True


def check(system: System, master: Process, server: Server) -> None:
    """Look at all that a re-exec of a living master needs. Raises Refused with the first fault."""
    check_master(system, master, server)
    _refuse_missing_paths(system, master, server)


def check_master(system: System, master: Process, server: Server) -> None:
    """Look at what every handover needs of a living master. Raises Refused with the first fault."""
    if not server.accepts_signals(system, master.pid):
        raise Refused(
            f"pid {master.pid} is no master of {server.name}, or still starts, and would die of "
            "USR2; start the server itself, or correct the `server` option"
        )
    _refuse_second_master(system, master)


def _refuse_second_master(system: System, master: Process) -> None:
    for pid in system.children(master.pid):
        if is_any_successor(system, pid, master.pid):
            raise Refused(
                f"pid {master.pid} already has a new master, pid {pid}, of no running handover, "
                "maybe from a USR2 sent by hand; end one of the two with its graceful signal"
            )


def _refuse_missing_paths(system: System, master: Process, server: Server) -> None:
    folder = server.directory(system, master.pid)
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
