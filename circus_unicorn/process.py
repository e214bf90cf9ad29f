"""A managed watcher's process: the master of the moment, whoever started it."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import psutil
from circus.process import Process
from circus.util import get_info

from unicorn_handover.host.master import Master
from unicorn_handover.host.survival import Survivor
from unicorn_handover.kernel.process import Process as HeldProcess
from unicorn_handover.kernel.spare import with_spare
from unicorn_handover.model.record import MasterId

from .adopted import AdoptedWorker, reopened
from .inheriting import InheritingProcess
from .settings import settings_of


class ManagedProcess(InheritingProcess):
    """A process that becomes its successor when its master dies.

    It stays the same object with the same wid, pipes and streams; only the pid changes. Whatever
    asks whether it lives lets it do so first, so no question falls between two masters.
    """

    master: Master | None = None
    started_in = ""  # the real path of the working directory at the first master's start
    started_by: dict[str, Any] = {}  # the watcher's settings then
    _worker: Any

    def spawn(self) -> None:
        """Start the first master of a family, or take over what an earlier circusd has left."""
        survivor = self.watcher.take_survivor()
        if survivor and self._take_over(survivor):
            return
        self.given = self.watcher.program.begins()
        self._set_start()
        super().spawn()
        self.hold()

    def remember(self, child: MasterId) -> None:
        """In the child: let the next circusd know of it. `Popen` returns when it has executed."""
        self.watcher.program.survival.note_child(child)

    def _set_start(self) -> None:
        self.started_in = self.watcher.system.real_path(self.watcher.working_dir)
        self.started_by = settings_of(self.watcher)
        self.watcher.current = self

    def _take_over(self, survivor: Survivor) -> bool:
        """Let a survivor be this process; False if it has just ended."""
        own = self.watcher.own_part(survivor)
        self.started_in, self.started_by = own.started_in, own.started_by
        self.watcher.current = self

        def exited() -> None:
            if self.master is master:
                self._exited()

        assert survivor.master
        master = self.watcher.program.hold(survivor.master.pid, exited, survivor.group)
        if master.process is None:
            master.close()
            return False
        pipes = reopened(master.process, self.watcher.streams, self.watcher.warn)
        try:
            self._worker = AdoptedWorker(master.pid, *pipes, master)
        except psutil.NoSuchProcess:
            master.close()
            return False
        self.master, self.started = master, self._worker.create_time()
        self.pipe_stdout, self.pipe_stderr = (pipe is not None for pipe in pipes)
        return True

    def hold(self) -> None:
        """Hold the master that runs, which is the leader of its group or was adopted in another."""
        group = self.master.group if self.master else 0
        if not self.master:
            self._set_start()
        self.let_go()
        self.watcher.current = self
        for pipe in (self.stdout, self.stderr):
            if pipe is not None and not pipe.closed:
                # Circus reads when its loop says so, and would wait for ever if `Output.drain` had
                # read it all in the same turn of that loop.
                os.set_blocking(pipe.fileno(), False)
        self.master = self.watcher.program.hold(self.pid, self._exited, group)

    def let_go(self) -> None:
        """Close the descriptors."""
        if self.master:
            self.master.close()

    def _exited(self) -> None:
        self.watcher.master_died(self)

    def adopt_if_dead(self) -> None:
        """Let the watcher adopt the successor if the master has died."""
        if self.master:
            self.master.look()
            if not self.master.is_child:
                self.master.settle()  # its parent may be late; whoever asks here cannot wait

    @property
    def has_master(self) -> bool:
        """True while the master lives."""
        return self.master is not None and self.master.is_alive

    def become(self, successor: HeldProcess) -> None:
        """Take the successor for the master. Raises psutil.NoSuchProcess if it is gone already."""
        old = self._worker
        worker = with_spare(
            lambda: AdoptedWorker(successor.pid, old.stdout, old.stderr, self.master)
        )
        # And not now: it has booted, and proven itself.
        self.started = with_spare(worker.create_time)
        old.stdout = old.stderr = None  # the pipes go on: the successor inherited their other ends
        self._worker = worker
        if self.master:
            self.master.replace(successor)

    def become_spawned(
        self, successor: HeldProcess, new: Process, started_by: dict[str, Any]
    ) -> None:
        """Take a master that circusd has started for this one, with its own pipes."""
        redirector, old = self.watcher.stream_redirector, self._worker
        self.watcher.drain()
        if redirector:
            redirector.remove_redirections(self)
        for pipe in (old.stdout, old.stderr):
            if pipe is not None:
                pipe.close()
        self._worker, self.started, self.started_by = new._worker, new.started, started_by
        self.pipe_stdout, self.pipe_stderr = new.pipe_stdout, new.pipe_stderr
        if isinstance(self._worker, AdoptedWorker):  # of an earlier circusd's start
            self._worker.master = self.master
        self.started_in = self.watcher.system.real_path(started_by["working_dir"])
        if redirector:
            redirector.add_redirections(self)
        if self.master:
            self.master.replace(successor)

    def reap(self, status: int | None = None) -> int | None:
        """Return the exit code, None while the master lives. Never waits.

        `status` is the wait status if circusd's own search for dead children has reaped it.
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
        self.adopt_if_dead()
        return not self.has_master and self.reap() is not None

    def all_masters(self) -> list[HeldProcess]:
        """The living master, and all others."""
        if self.master is None or self.master.process is None:
            return []
        return [self.master.process, *self.watcher.program.other_masters(self.master)]

    @property
    def status(self) -> Any:
        """One of the constants of circus.process."""
        self.adopt_if_dead()
        return Process.status.fget(self)

    def poll(self) -> int | None:
        """Return the exit code, None while the master or its successor lives."""
        self.adopt_if_dead()
        code: int | None = Process.poll(self)
        return code

    def info(self) -> Any:
        """Return what `circusctl stats` shows, in Circus's words.

        Circus's own gives up, and the whole command with it, if one child has just ended: in a
        handover many do.
        """
        self.adopt_if_dead()
        worker = self._worker
        try:
            info, children = get_info(worker), worker.children()
        except psutil.NoSuchProcess:
            self.adopt_if_dead()  # it died just now
            return "No such process (stopped?)" if self._worker is worker else self.info()
        info.update(age=self.age(), started=self.started, wid=self.wid, children=[])
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                info["children"].append(get_info(child))
        return info

    def send_signal(self, sig: int) -> Any:
        """Signal the master of this moment."""
        self.adopt_if_dead()
        return Process.send_signal(self, sig)
