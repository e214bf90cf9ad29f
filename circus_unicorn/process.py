"""A managed watcher's process: the master of the moment, whoever started it."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import psutil
from circus.process import Process
from circus.util import get_info

from unicorn_handover.family import members
from unicorn_handover.family.successors import Heirs
from unicorn_handover.kernel.process import Process as HeldProcess


class AdoptedWorker(psutil.Process):
    """Stands where psutil.Popen stands for a process that circusd did not start itself.

    The process is circusd's child by now: its master died, and circusd is its subreaper.
    """

    def __init__(self, pid: int, stdout: Any, stderr: Any) -> None:
        super().__init__(pid)
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Reap the process if it has exited, as `subprocess.Popen.poll` does."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # circusd's own look for dead children was faster
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return pid  # Circus makes each process the leader of a session


class ManagedProcess(Process):  # type: ignore[misc]
    """A process that becomes its successor when its master dies.

    It stays the same object with the same wid, pipes and streams; only the pid changes. Whatever
    asks whether it lives lets it do so first, so no question falls between two masters.
    """

    master: HeldProcess | None = None
    _worker: Any
    group = 0  # the process group, which every later master is in
    started_in = ""  # the real path of the working directory at the first master's start
    heirs: Heirs

    def spawn(self) -> None:
        """Start the first master of a family."""
        Process.spawn(self)
        self.take_over()

    def take_over(self) -> None:
        """Watch over the master that runs."""
        self.heirs = Heirs(self.watcher.system)
        if not self.group:
            self.group = _group_of(self.pid)
            self.started_in = self.watcher.system.real_path(self.watcher.working_dir)
        for pipe in (self.stdout, self.stderr):
            if pipe is not None and not pipe.closed:
                # Circus reads when its loop says so, and would wait for ever if `Output.drain` had
                # read it all in the same turn of that loop.
                os.set_blocking(pipe.fileno(), False)
        self._watch(self.watcher.system.hold(self.pid))

    def _watch(self, master: HeldProcess | None) -> None:
        self.master = master
        if master:
            self.watcher.loop.add_handler(master.fileno(), self._exited, self.watcher.loop.READ)
        else:
            self.watcher.loop.add_callback(self.watcher.master_died, self)

    def _exited(self, descriptor: int, events: int) -> None:
        self.settle()

    def settle(self) -> None:
        """If the master has died, let the watcher look for its successor."""
        if self.master and not self.master.alive():
            self.unwatch()
            self.watcher.master_died(self)

    def unwatch(self) -> None:
        """Give the pidfd back."""
        master, self.master = self.master, None
        if master:
            self.watcher.loop.remove_handler(master.fileno())
            master.close()

    def become(self, successor: HeldProcess) -> None:
        """Take the successor for the master. Raises psutil.NoSuchProcess if it is gone already."""
        old = self._worker
        worker = AdoptedWorker(successor.pid, old.stdout, old.stderr)
        self.started = worker.create_time()  # and not now: it has booted, and proven itself
        old.stdout = old.stderr = None  # the pipes go on: the successor inherited their other ends
        self._worker = worker
        self._watch(successor)

    def reap(self, status: int | None = None) -> int | None:
        """Return the exit code, None while the master lives. Never waits.

        `status` is what circusd's own look for dead children brought, if it was that which reaped.
        """
        if status is not None:
            self._worker.returncode = os.waitstatus_to_exitcode(status)
        elif self._worker.returncode is None:
            self._worker.poll()
        code: int | None = self._worker.returncode
        return code

    @property
    def dead(self) -> bool:
        """True if the master has ended and nothing took its place."""
        self.settle()
        return self.master is None and self.reap() is not None

    def other_masters(self) -> list[HeldProcess]:
        """Hold all other masters of the family, until one takes over or all have ended."""
        return self.heirs.gather(self.pid)

    def all_masters(self) -> list[HeldProcess]:
        """The master, and all others."""
        return [self.master, *self.other_masters()] if self.master else []

    def all_workers(self) -> list[HeldProcess]:
        """Hold the workers of all masters."""
        heads = [self.pid, *(master.pid for master in self.other_masters())]
        return [w for head in heads for w in members.forked_by(self.watcher.system, head)]

    # -- what Circus asks ------------------------------------------------------------------------

    @property
    def status(self) -> Any:
        """One of the constants of circus.process."""
        self.settle()
        return Process.status.fget(self)

    def poll(self) -> int | None:
        """Return the exit code, None while the master or its successor lives."""
        self.settle()
        code: int | None = Process.poll(self)
        return code

    def info(self) -> Any:
        """Return what `circusctl stats` shows, in Circus's words.

        Circus's own gives up, and the whole command with it, if one child has just ended: in a
        handover many do.
        """
        self.settle()
        worker = self._worker
        try:
            info, children = get_info(worker), worker.children()
        except psutil.NoSuchProcess:
            self.settle()  # it died just now
            return "No such process (stopped?)" if self._worker is worker else self.info()
        info.update(age=self.age(), started=self.started, wid=self.wid, children=[])
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                info["children"].append(get_info(child))
        return info

    def send_signal(self, sig: int) -> Any:
        """Signal the master of this moment."""
        self.settle()
        return Process.send_signal(self, sig)
