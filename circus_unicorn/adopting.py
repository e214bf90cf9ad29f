"""A watcher whose dead master's successor takes its place."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import Any

import psutil
from circus import logger
from circus.process import UNEXISTING
from circus.stream.redirector import Redirector
from circus.watcher import Watcher

from unicorn_handover.host.copies import Command
from unicorn_handover.host.guard import contained
from unicorn_handover.host.program import Program
from unicorn_handover.kernel.system import System
from unicorn_handover.model.record import MasterId
from unicorn_handover.servers import Launch

from .adopted import UNKNOWN
from .beside import BesideProcess
from .circusd import Circusd
from .coroutines import Steps, coroutine
from .launch import command_by, launch_by
from .process import ManagedProcess
from .settings import settings_of
from .streams import Output


class AdoptingWatcher(Watcher):  # type: ignore[misc]
    """What a watcher does at the death of a master, however it was started and restarted.

    is_managed: until it is given back; what was begun before checks this. runs_on: from one
    arbiter to the next.
    """

    program: Program
    circusd: Circusd
    output: Output
    beside: BesideProcess
    processes: dict[int, ManagedProcess]
    is_managed = True
    runs_on = False

    @property
    def system(self) -> System:
        """The kernel."""
        return self.program.system

    @property
    def _process_class(self) -> type[ManagedProcess]:
        return ManagedProcess

    @property
    def process(self) -> ManagedProcess | None:
        """The process with a living master, or None."""
        for process in list(self.processes.values()):
            process.adopt_if_dead()
            if process.has_master:
                return process
        return None

    @property
    def master(self) -> MasterId | None:
        """The living master, or None."""
        process = self.process
        return process.master.id if process and process.master else None

    @property
    def launch(self) -> Launch:
        """How the running master was started, or would be now if there is none."""
        process = next(iter(self.processes.values()), None)
        started_by, started_in = (process.started_by, process.started_in) if process else ({}, "")
        return launch_by(self, started_by or settings_of(self), started_in)

    def command_in_force(self) -> Command:
        """How Circus would start this watcher's process after a crash."""
        return command_by(settings_of(self))

    def stop_setting(self) -> tuple[str, int]:
        """The setting of the stop signal and its number."""
        return f"[watcher:{self.name}] stop_signal", self.stop_signal

    def adopt_if_dead(self) -> None:
        """Let each dead master's successor take its place."""
        for process in list(self.processes.values()):
            process.adopt_if_dead()

    def warn(self, text: str) -> None:
        """Log a warning for the operator."""
        logger.warning(f"{self.name}: {text}")

    def failed(self, text: str) -> None:
        """Log a contained error of this plugin."""
        self.program.failed(text)

    def master_died(self, process: ManagedProcess) -> None:
        """Put a dead master's successor in its place, or else see to what it left behind."""
        master = process.master
        if master and not master.is_child and master.status is None:
            self.warn(
                f"how pid {master.pid} ended is unknown, for it was another circusd's child; it is "
                f"taken for an exit code of {UNKNOWN}"
            )
        if self.is_managed and not self._succeed(process):
            told_to_quit = self.program.handovers.was_told_to_quit(process.pid)
            lived = time.time() - process.started
            if not self.respawn and not self.is_stopping():
                self.program.held.let_go()
            self.loop.add_callback(self._without_master, process, told_to_quit, lived)

    @contained(False)
    def _succeed(self, process: ManagedProcess) -> bool:
        """Adopt a dead master's successor; False if there is none."""
        old, master = process.pid, process.master
        # A gunicorn whose old master stays a zombie ends itself, so it is reaped first.
        code = process.reap()
        successor = self.program.died(master) if master and code is not None else None
        if master is None or code is None or successor is None:
            return False
        beside = self.beside.take(successor.pid)
        try:
            if beside:
                process.become_spawned(successor, *beside)
            else:
                process.become(successor)
        except psutil.NoSuchProcess:
            successor.close()
            return False
        # A new mapping: Circus may be in the middle of a loop over this one.
        self.processes = {p.pid: p for p in self.processes.values()}
        new = process.pid
        logger.info(f"{self.name}: adopted pid {new}, successor of pid {old} (exit code {code})")
        if process.stopping or self.is_stopping():  # the signal was sent before this one was there
            master.end([successor], self.stop_signal)
        self.program.adopted(master)
        # Circus and the user's hooks are informed when Circus has finished its present command.
        self.loop.add_callback(self._publish_adoption, old, code, new)
        return True

    @contained()
    def _publish_adoption(self, old: int, code: int, new: int) -> None:
        """Publish and call the hooks for a master that ended and one that came.

        There is no `reap` event for the old one: the flapping plugin would count it as a crash.
        """
        now = time.time()
        self.call_hook("before_reap", process_pid=old, time=now)
        self.notify_event("kill", {"process_pid": old, "time": now})
        self.call_hook(
            "after_reap", process_status=UNEXISTING, process_pid=old, time=now, exit_code=code
        )
        self.notify_event("spawn", {"process_pid": new, "time": now})
        self.call_hook("after_spawn", pid=new)

    @coroutine
    def _without_master(self, process: ManagedProcess, told_to_quit: bool, lived: float) -> Steps:
        """Reap a dead master at once, and start one in its place.

        One that lived for less than the time between two checks of Circus is left to those checks:
        a crash at boot must not become a loop.
        """
        if not self.is_managed:
            return  # Circus replaces it at its next check
        self.program.lost()
        if process.stopping or self.is_stopping():
            return
        if process.dead and self.processes.get(process.pid) is process:
            self.reap_process(process.pid)
        if self.runs_on or not self.circusd.has(self):
            return  # the next arbiter starts it, or nobody does
        if told_to_quit or lived >= self.circusd.check_delay:
            yield self.manage_processes()

    def reap_process(self, pid: int, status: int | None = None) -> None:
        """Reap a dead process and publish that, unless its successor replaces it."""
        process = self.processes.get(pid)
        if process is None:
            return
        process.reap(status)
        if not process.dead:
            if not self.is_stopping():
                return  # it goes on, maybe with another pid
            # Circus would now wait, holding everything up, until it has ended.
            self.warn(f"killing pid {process.pid}, which outlived its stop")
            self.send_signal_process(process, signal.SIGKILL, recursive=True)
            pid = process.pid
        self.drain()
        if self.stream_redirector:
            with contextlib.suppress(Exception):
                self.stream_redirector.remove_redirections(process)
        super().reap_process(pid, status)

    @contained()
    def drain(self) -> None:
        """Pass on the present content of the pipes."""
        self.output.drain()

    def manage_processes(self) -> Any:
        """Reap dead processes, which Circus would drop without an event, then do as Circus does."""
        self.circusd.checks()
        if self.is_managed:  # that call may have given it back
            for pid in list(self.processes):
                self._reap_if_dead(pid)
        return Watcher.manage_processes(self)

    @contained()
    def _reap_if_dead(self, pid: int) -> None:
        process = self.processes.get(pid)
        if process and process.dead and not process.stopping and not self.is_stopped():
            self.reap_process(pid)

    def info(self, extended: bool = False) -> Any:
        """Return what `circusctl stats` shows, of the present masters."""
        self.adopt_if_dead()
        return super().info(extended)

    def _redirector_class(self, *arguments: Any, **keywords: Any) -> Redirector:
        redirector = Redirector(*arguments, **keywords)
        self.output.listen(redirector)
        return redirector

    def _create_redirectors(self) -> None:
        super()._create_redirectors()
        self.redirect()

    def redirect(self) -> None:
        """Read the output of all processes: some were there before their streams."""
        if self.stream_redirector:
            for process in self.processes.values():
                self.stream_redirector.start()
                self.stream_redirector.add_redirections(process)
