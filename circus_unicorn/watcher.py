"""A managed watcher: each way to restart it is a handover, and it is stopped as a family."""

from __future__ import annotations

import random
import signal
import time
from typing import Any

from circus import logger
from circus.watcher import Watcher
from tornado.gen import Return, moment, sleep

from unicorn_handover.host.orphans import HOPELESS, PAUSE
from unicorn_handover.host.program import Program
from unicorn_handover.servers import ADD_WORKER, DROP_WORKER

from . import circusd_restart, selection
from .beside import BesideProcess
from .circusd import Circusd
from .coroutines import Steps, coroutine, synchronized
from .in_force import InForce
from .process import ManagedProcess
from .restarts import Restarts
from .settings import RENEWED
from .streams import Output
from .surviving import SurvivingWatcher
from .workers import Workers

COUNTING = (ADD_WORKER, DROP_WORKER, signal.SIGHUP)
ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGKILL)
NEEDS_A_START = ("stdout_stream", "stderr_stream")  # where there was none
STOP_PAUSE = 0.1  # seconds between polls of a process that is being ended, as Circus has them


class ManagedWatcher(SurvivingWatcher):
    """A watcher whose master may re-execute itself.

    is_ending: while it is stopped, and what it leaves is seen off.
    """

    _restarts: Restarts
    _workers: Workers
    _expired_at = 0.0
    is_ending = False

    @classmethod
    def manage(
        cls, watcher: Watcher, program: Program, circusd: Circusd, restarts: Restarts
    ) -> ManagedWatcher:
        """Make a watcher a managed one, without touching what it runs."""
        watcher.__class__ = cls
        watcher.is_managed = True
        watcher.program, watcher.circusd, watcher._restarts = program, circusd, restarts
        watcher.output = program.output = Output(watcher)
        watcher._workers = Workers(watcher, program)
        program.supervised, program.label = watcher, watcher.name
        watcher.in_force = InForce(watcher)
        watcher.beside = program.beside.starter = BesideProcess(watcher)
        for process in watcher.processes.values():
            process.__class__ = ManagedProcess
            process.watcher = watcher
            process.hold()
        managed: ManagedWatcher = watcher
        managed.find_survivor()
        return managed

    def give_back(self) -> None:
        """Make this an ordinary watcher again: it is not managed any more."""
        self.is_managed = False
        for process in self.processes.values():
            process.let_go()
        self.__class__ = Watcher

    @property
    def can_be_handed_over(self) -> bool:
        """True if the program runs and is to go on running."""
        return not self.is_stopped() and not self.is_stopping() and self.master is not None

    def refusal(self) -> str:
        """What keeps a restart of this running program from being a handover, or ""."""
        return selection.refusal(self)

    def hand_over(self) -> Any:
        """Ask for a handover; return the future of what became of it. Never raises."""
        return self._restarts.begin(self.program, self.refusal)

    def restart(self) -> Any:
        """Hand the program over. Takes no part in Circus's locking: it may last for minutes."""
        return self.hand_over() if self.can_be_handed_over else super().restart()

    def reload(self, graceful: bool = True, sequential: bool = False) -> Any:
        """Hand the program over or, with `send_hup`, send HUP."""
        if not self.reload_is_handover(graceful):
            return super().reload(graceful=graceful, sequential=sequential)
        if self.prereload_fn is not None:
            self.prereload_fn(self)
        return self.hand_over()

    def reload_is_handover(self, graceful: bool) -> bool:
        """True if a reload of this watcher is to be a handover now."""
        return self.can_be_handed_over and not (graceful and self.send_hup)

    @coroutine
    def _reload(self, graceful: bool = True, sequential: bool = False) -> Steps:
        """As one of all watchers, or after an option was changed; must not be waited for."""
        if not self.reload_is_handover(graceful):
            yield super()._reload(graceful=graceful, sequential=sequential)
        elif not self.circusd.reloads_all:  # `RestartCommand` begins those
            self.hand_over()

    @coroutine
    def remove_expired_processes(self) -> Steps:
        """Replace a master that has reached `max_age` by a handover."""
        process = self.process
        if not process or not self.can_be_handed_over or self.program.handovers.running:
            return
        age = time.time() - max(process.started, self._expired_at)
        if age > self.max_age + random.randint(0, self.max_age_variance):
            self._expired_at = time.time()  # if it fails, not again at the next check
            self.hand_over()
        yield moment

    @coroutine
    def _stop(self, close_output_streams: bool = False) -> Steps:
        """Stop the whole family, unless this is the first half of a restart."""
        if self._restarts.stops_first and self.can_be_handed_over:
            self.hand_over()
            return
        self.circusd.ends()
        if circusd_restart.survives(self, self.circusd):
            self.runs_on = True
            yield self._restarts.dismiss_callers(self.circusd)
            return
        if self.is_to_stay:
            self.leave()
            return
        self.program.handovers.cancel("the watcher was stopped")
        self.program.held.stopping(for_good=self.circusd.is_ending)
        if self.circusd.is_ending or self.circusd.stops_by_command:
            self.program.survival.stopping()
        yield self.end(close_output_streams)

    @coroutine
    def end(self, close_output_streams: bool) -> Steps:
        """Stop the whole family, and see off what it leaves."""
        self.is_ending = True
        try:
            yield self._wait_for_kill()
            yield super()._stop(close_output_streams)
            yield self._see_orphans_off()
            if not self.master:
                self.program.survival.lost()
        finally:
            self.is_ending = False

    @coroutine
    def _wait_for_kill(self) -> Steps:
        """Let a `kill` that is under way end the process, for as long as a stop may take.

        Circus would not wait for the process then, but kill it at once.
        """
        deadline = self.system.clock() + self.graceful_timeout
        while any(p.stopping for p in self.processes.values()) and self.system.clock() < deadline:
            yield sleep(STOP_PAUSE)

    @coroutine
    def _see_orphans_off(self) -> Steps:
        """Wait for what a dead master left behind, for as long as Circus waits for a process.

        What hangs in the kernel is left: Circus takes no other command while this one lasts.
        """
        clock, orphans = self.system.clock, self.program.orphans
        deadline, last = clock() + self.graceful_timeout, clock() + HOPELESS
        while orphans.mind():
            if clock() >= deadline:
                orphans.kill()
            if not orphans.hopeless:
                last = clock() + HOPELESS
            elif clock() >= last:
                self.warn(
                    "what a dead master left behind was killed and does not end, so it is not "
                    "waited for; in state D, as `ps` shows it, it waits for a disk"
                )
                return
            yield sleep(PAUSE)

    def send_signal(self, pid: int, signum: int) -> None:
        """Signal the master; what would end it in the middle of a handover ends the new one too."""
        if signum in COUNTING:
            self._workers.forget()
        process = self.processes.get(pid)
        master = process.master if process and self._ends_all(signum) else None
        # Held first: once the master is gone, nothing proves that they were its own.
        others = self.program.other_masters(master, ending=True) if master else ()
        super().send_signal(pid, signum)
        for other in others:
            allowed = self.call_hook("before_signal", pid=other.pid, signum=signum)
            if master and (allowed or signum == signal.SIGKILL):
                master.end([other], signum)
                self.call_hook("after_signal", pid=other.pid, signum=signum)

    def _ends_all(self, signum: int) -> bool:
        """True if this signal to the master is to end the other masters as well."""
        ends = signum in ENDING or signum == self.stop_signal
        return ends and (self.is_stopping() or self.program.handovers.running is not None)

    def call_hook(self, hook_name: str, **kwargs: Any) -> Any:
        """Call a user's hook, if there is one.

        Once it lets a signal pass that ends masters, the driver lets go, before that signal is
        sent: it must not start a new master behind it.
        """
        result = super().call_hook(hook_name, **kwargs)
        if hook_name == "before_signal":
            signum = kwargs["signum"]
            if (result or signum == signal.SIGKILL) and self._ends_all(signum):
                name = signal.Signals(signum).name
                self.program.handovers.cancel(f"the master was sent {name}")
        return result

    def send_signal_process(
        self, process: ManagedProcess, signum: int, recursive: bool = False
    ) -> None:
        """Signal a master and its children, or kill the whole family."""
        # Listed first: of a dead master Circus finds no children, and leaves them.
        master = process.master
        workers = self.program.workers(master) if master else ()
        super().send_signal_process(process, signum, recursive)
        if master:
            master.signal(workers, signum)
        for worker in workers:
            worker.close()

    def why_no_number(self) -> str:
        """What keeps the number of workers from being changed, or ""."""
        return self._workers.refusal()

    def incr(self, nb: int = 1) -> Any:
        """Add workers to the master; the answer is how many there are."""
        return self._workers.change(int(nb))

    def decr(self, nb: int = 1) -> Any:
        """Take workers from the master; the answer is how many there are."""
        return self._workers.change(-int(nb))

    @coroutine
    def set_numprocesses(self, np: int) -> Steps:
        """Keep to one process; `reloadconfig` asks for more if the file does."""
        if np == 1:
            yield super().set_numprocesses(np)
        else:
            logger.error(selection.too_many(self, np))
        raise Return(self.numprocesses)

    def set_opt(self, key: str, val: Any) -> Any:
        """Set an option. The number of processes is the number of workers."""
        if key == "numprocesses":
            return self._set_workers(int(val))
        action = super().set_opt(key, val)
        name = key.split(".")[0]
        if action != 1 or not self.can_be_handed_over:
            return action
        if name in RENEWED and self.program.options.method != "usr2":
            logger.info(f"{self.name}: set {key}: in force with the next restart that succeeds")
            return -1
        if name in (*RENEWED, *NEEDS_A_START):
            self.warn(
                f"set {key}: this is for the next start; `circusctl stop {self.name}` and "
                f"`circusctl start {self.name}` make one"
            )
            return -1
        return action

    @synchronized("watcher_set_opt")  # a caller who is refused must have changed nothing
    def _set_workers(self, number: int) -> int:
        self.loop.add_callback(self._workers.set, number)
        self.notify_event("updated", {"time": time.time()})
        return -1

    def notify_event(self, topic: str, msg: dict[str, Any]) -> None:
        """Publish an event. The one of the removal is the only word Circus gives of it."""
        super().notify_event(topic, msg)
        if topic == "remove":
            self.program.handovers.cancel("the watcher was removed")
            self.program.held.let_go()
