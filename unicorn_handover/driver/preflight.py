"""What can be known to go wrong before the first signal, when a refusal still costs nothing."""

from __future__ import annotations

from ..errors import CannotReExec, Refused, printable
from ..family import members
from ..kernel.process import Process
from ..kernel.system import System
from ..model.options import Options
from ..model.record import Record
from ..servers import (
    Launch,
    Need,
    NeedKind,
    Server,
    is_any_successor,
    recognise,
    server_of,
)


def identify(system: System, master: Process, options: Options) -> Server:
    """Return the server a master runs. Raises Refused if it is none that can be handed over."""
    server = server_of(system, master.pid, options.server)
    if server is None or not members.workers(system, master, server).all:
        _refuse_what_stands_in_front(system, master)
    if server is None:
        raise Refused(
            f"pid {master.pid} ({_shown(system, master.pid)}) is neither unicorn nor gunicorn; "
            "start the server itself, with `exec` if a shell script does it, or set the `server` "
            "option"
        )
    return server


def _refuse_what_stands_in_front(system: System, master: Process) -> None:
    behind = members.server_below(system, master.pid)
    if behind:
        raise Refused(
            f"the server is pid {behind}, and pid {master.pid} ({_shown(system, master.pid)}) "
            "stands in front of it; make the server the program's own process: write `exec` before "
            "its command in a shell or a script, or leave out what starts it as its child"
        )


def _shown(system: System, pid: int) -> str:
    return printable(" ".join(system.command_line(pid)), 80)


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


def method(
    system: System, master: Process, server: Server, record: Record, launch: Launch
) -> tuple[str, str]:
    """Return how the new master is to come to be, and why so. Raises Refused if it cannot."""
    check_master(system, master, server)
    if record.method == "spawn" or (record.method == "auto" and record.why):
        return "spawn", record.why
    try:
        check_re_exec(system, master, server, launch)
    except CannotReExec as why:
        if record.method != "auto":
            raise
        return "spawn", str(why).partition("; ")[0]  # without what to do, for this does it
    return "usr2", ""


def can_re_exec(system: System, master: Process, server: Server, launch: Launch) -> bool:
    """True if nothing that can be seen speaks against a re-exec of a master, of any release."""
    try:
        check_master(system, master, server)
        _refuse_a_failing_re_exec(system, master, server, launch)
    except (Refused, PermissionError):
        return False
    return True


def check_re_exec(system: System, master: Process, server: Server, launch: Launch) -> None:
    """Look at what a re-exec needs to give what is configured.

    Raises CannotReExec with the first fault.
    """
    _refuse_a_failing_re_exec(system, master, server, launch)
    _refuse_old_directory(system, master, server, launch)


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
                "maybe from a USR2 sent by hand; `promote` keeps that one, `rollback` the old one"
            )


def _refuse_a_failing_re_exec(
    system: System, master: Process, server: Server, launch: Launch
) -> None:
    directory = server.configured(system, master.pid, launch).directory
    if directory and not system.is_directory(directory):
        raise CannotReExec(
            f"the working directory of pid {master.pid}, {printable(directory)}, is gone, and a "
            "master re-executes itself there; make it again"
        )
    for need in server.re_exec_needs(system, master.pid):
        _refuse_without(system, master, need)


def _refuse_without(system: System, master: Process, need: Need) -> None:
    is_there = {
        NeedKind.SCRIPT: system.is_file,
        NeedKind.ENVIRONMENT: system.is_directory,
    }.get(need.kind, system.may_execute)
    if need.path and not is_there(need.path):
        raise CannotReExec(
            f"the {need.kind.value} of pid {master.pid}, {printable(need.path)}, is gone or may "
            "not be run, and a master re-executes itself with it; install it again, or stop and "
            "start the program"
        )


def _refuse_old_directory(system: System, master: Process, server: Server, launch: Launch) -> None:
    """Refuse what would run the old release again, and say that it had been restarted."""
    configured = server.configured(system, master.pid, launch)
    if configured.names_directory or not (launch.started_in and launch.directory):
        return
    now, before = system.real_path(launch.directory), launch.started_in
    if now != before == system.real_path(configured.directory):
        raise CannotReExec(
            f"[{launch.section}] {launch.key}: {printable(launch.directory)} is {printable(now)} "
            f"by now, but pid {master.pid} would re-execute itself in {printable(before)}, with "
            "the old release; name the directory in the server's own configuration (unicorn: "
            "working_directory, gunicorn: chdir), then stop and start the program once"
        )
