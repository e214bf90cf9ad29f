"""Checks before the first signal, while a refusal still costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..errors import CannotReExec, Refused, either, printable
from ..family import members
from ..family.served import close_all, copy_served
from ..kernel.process import Process
from ..kernel.system import System
from ..model.options import Options
from ..model.record import Record
from ..servers import (
    SERVERS,
    Configured,
    Launch,
    Need,
    NeedKind,
    Server,
    is_any_successor,
    recognise,
    server_of,
)


def identify(system: System, master: Process, options: Options) -> Server:
    """Return the server that a master runs. Raises Refused if that cannot be handed over."""
    server = server_of(system, master.pid, options.server)
    if server is None or not members.workers(system, master, server).all:
        _refuse_what_stands_in_front(system, master)
    if server is None:
        raise Refused(
            f"pid {master.pid} ({_shown(system, master.pid)}) is no {either(SERVERS)}; "
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


def shows_itself(system: System, master: Process) -> bool:
    """True while a program that the host started shows its own command line.

    Until its exec it is the host's, and none from the beginning of its end.
    """
    stat = system.stat(master.pid)
    return stat is not None and not stat.forked_only and not stat.ended


def is_starting(system: System, master: Process, server: Server) -> bool:
    """True while a server's master does not accept signals yet.

    USR2 would kill it, though a starting ruby traps that, or be handled at some later time.
    """
    runs_it = recognise(system.command_line(master.pid)) is server
    return runs_it and not server.accepts_signals(system, master.pid)


@dataclass(frozen=True)
class Preflight:
    """Checks one living, serving master. `pidfile` is the option, "" if it is not set."""

    system: System
    master: Process
    server: Server
    launch: Launch
    pidfile: str = ""

    def method(self, record: Record) -> tuple[str, str]:
        """Return how to start the new master, and why. Raises Refused if there is none."""
        if record.inherited and record.method != "spawn" and self._second_master():
            return "usr2", record.why  # which an earlier driver has sent, when its host was dead
        self.check_master()
        if record.method == "spawn" or (record.method == "auto" and record.why):
            self.check_pid_files("spawn")
            return "spawn", record.why
        try:
            self.check_re_exec()
        except CannotReExec as why:
            if record.method != "auto":
                raise
            self.check_pid_files("spawn")
            return "spawn", str(why).partition("; ")[0]  # without what to do, for this does it
        if record.method == "auto":
            return self._renewing_environment()
        return "usr2", f"not renewed: {record.why}" if record.why else ""

    def _renewing_environment(self) -> tuple[str, str]:
        """Prefer a start by the host where a re-exec may keep an outdated environment.

        Whether the application has read the file is not known, so a re-exec is no reason to refuse.
        """
        path = self.server.next_start.outdated(self.system, self.master.pid, self.launch)
        if not path:
            return "usr2", ""
        why = f"{printable(path)} was changed since pid {self.master.pid} was started"
        try:
            self.check_pid_files("spawn")
            close_all(copy_served(self.system, self.master, self.server))
        except Refused as what:
            return "usr2", f"not renewed: {why}, but {what}"
        return "spawn", f"{why}, and a re-exec keeps the environment"

    def can_re_exec(self) -> bool:
        """True if no visible fact prevents a re-exec, of whatever release."""
        try:
            self.check_master()
            self._refuse_a_failing_re_exec()
        except (Refused, PermissionError):
            return False
        return True

    def check_master(self) -> None:
        """Check what every handover needs. Raises Refused with the first fault."""
        if not self.server.accepts_signals(self.system, self.master.pid):
            raise Refused(
                f"pid {self.master.pid} is not a running {self.server.name} master, so USR2 would "
                "kill it; start the server itself, or correct the `server` option"
            )
        self._refuse_second_master()
        self._refuse_sockets_of_the_workers()

    def check_re_exec(self) -> None:
        """Check what a re-exec needs in order to run what is configured.

        Raises CannotReExec, or another Refused, with the first fault.
        """
        self.check_pid_files("usr2")
        self._refuse_a_failing_re_exec()
        self._refuse_old_directory()

    def check_pid_files(self, method: str) -> None:
        """Check what the new master will find. Raises Refused if a pid file names a stranger."""
        for suffix in ("",) if method == "spawn" else self.server.pid_file_suffixes:
            self._refuse_a_stranger_in(suffix)

    @cached_property
    def _configured(self) -> Configured:
        return self.server.configured(self.system, self.master.pid, self.launch)

    def _second_master(self) -> int:
        """The pid of a new master that is there already, or 0."""
        children = self.system.children(self.master.pid)
        found = (pid for pid in children if is_any_successor(self.system, pid, self.master.pid))
        return next(found, 0)

    def _refuse_second_master(self) -> None:
        pid = self._second_master()
        if pid:
            raise Refused(
                f"pid {self.master.pid} already has a new master, pid {pid}, of no running "
                "handover, maybe from a USR2 sent by hand; `promote` keeps that one, "
                "`rollback` the old one"
            )

    def _refuse_sockets_of_the_workers(self) -> None:
        """Refuse a master whose listening sockets are its workers': no new master inherits them.

        gunicorn's reuse_port is so from 24 on (Arbiter.start, .spawn_worker).
        """
        sockets = self.system.listening_sockets
        own = sockets(self.master.pid, self.server.listeners_outlive_exec)
        workers = members.workers(self.system, self.master, self.server).ready
        if not own and any(sockets(pid) for pid, _ in workers):
            raise Refused(
                f"the listening sockets are those of the workers, not of pid {self.master.pid}, so "
                "no new master can have them; listen without reuse_port, then stop and start the "
                "program once"
            )

    def _refuse_a_stranger_in(self, suffix: str) -> None:
        """Refuse a pid file that the server would take for that of another running one."""
        found = self._configured.pidfile
        path = self.pidfile if found is None else found
        pid = self.system.pid_in(path + suffix) if path else 0
        if pid in (0, self.master.pid):
            return
        if self.server.takes_for_running(self.system, self.master.pid, pid):
            raise Refused(
                f"the pid file {printable(path + suffix)} names pid {pid}, which runs and is not "
                f"the master, pid {self.master.pid}, so {self.server.name} would refuse to go on; "
                "remove the file, or give each program a pid file of its own"
            )

    def _refuse_a_failing_re_exec(self) -> None:
        if not self.server.re_executes:
            raise CannotReExec(
                f"{self.server.name} does not re-execute itself under a host; send it HUP to read "
                "its configuration anew, or stop and start the program"
            )
        directory = self._configured.directory
        if directory and not self.system.is_directory(directory):
            raise CannotReExec(
                f"the working directory of pid {self.master.pid}, {printable(directory)}, is gone, "
                "and a master re-executes itself there; make it again"
            )
        for need in self.server.re_exec_needs(self.system, self.master.pid):
            self._refuse_without(need)

    def _refuse_without(self, need: Need) -> None:
        is_there = {
            NeedKind.SCRIPT: self.system.is_file,
            NeedKind.ENVIRONMENT: self.system.is_directory,
        }.get(need.kind, self.system.may_execute)
        if need.path and not is_there(need.path):
            raise CannotReExec(
                f"the {need.kind.value} of pid {self.master.pid}, {printable(need.path)}, is gone "
                "or may not be run, and a master re-executes itself with it; install it again, or "
                "stop and start the program"
            )

    def _refuse_old_directory(self) -> None:
        """Refuse a restart that would run the old release again and report success."""
        launch, configured = self.launch, self._configured
        if configured.names_directory or not (launch.started_in and launch.directory):
            return
        now, before = self.system.real_path(launch.directory), launch.started_in
        if now != before == self.system.real_path(configured.directory):
            raise CannotReExec(
                f"[{launch.section}] {launch.key}: {printable(launch.directory)} is "
                f"{printable(now)} by now, but pid {self.master.pid} would re-execute itself in "
                f"{printable(before)}, with the old release; name the directory in the server's "
                "own configuration (unicorn: working_directory, gunicorn: chdir), then stop and "
                "start the program once"
            )
