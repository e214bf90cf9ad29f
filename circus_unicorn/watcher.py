"""The watchers this plugin has: a managed program's, and the plugin's own."""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import shutil
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psutil
from circus import logger
from circus.process import UNEXISTING
from circus.stream.redirector import Redirector
from circus.watcher import Watcher
from tornado.gen import Return, moment, sleep

from unicorn_handover.errors import printable
from unicorn_handover.host.orphans import HOPELESS, PAUSE
from unicorn_handover.host.program import Program
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.system import System
from unicorn_handover.model.record import MasterId
from unicorn_handover.servers import ADD_WORKER, DROP_WORKER, Launch, words_of

from .coroutines import Steps, coroutine, synchronized
from .guard import guarded
from .process import ManagedProcess
from .streams import Output
from .workers import Workers

if TYPE_CHECKING:
    from .host import Host

COUNTING = (ADD_WORKER, DROP_WORKER, signal.SIGHUP)
ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGKILL)
NEEDS_A_START = {"cmd", "args", "env", "uid", "gid", "working_dir", "shell"}
NEEDS_A_START |= {"stdout_stream", "stderr_stream"}  # where there was none
STOP_PAUSE = 0.1  # seconds between looks at a process that is being ended, as Circus has them


class ManagedWatcher(Watcher):  # type: ignore[misc]
    """A watcher whose master may re-execute itself: each way to restart it is a handover."""

    program: Program
    _host: Host
    processes: dict[int, ManagedProcess]
    _output: Output
    _workers: Workers
    _expired_at = 0.0
    is_managed = True  # until it is given back; what was begun before looks at this
    is_ending = False  # while it is stopped, and what it leaves is seen off
    _runs_on = False  # from one arbiter to the next

    @classmethod
    def manage(cls, watcher: Watcher, host: Host, program: Program) -> ManagedWatcher:
        """Make a watcher a managed one, without touching what it runs."""
        watcher.__class__ = cls
        watcher.is_managed = True
        watcher.program = program
        watcher._host = host
        watcher._output = program.output = Output(watcher)
        watcher._workers = Workers(watcher)
        program.supervised = watcher
        program.label = watcher.name
        for process in watcher.processes.values():
            process.__class__ = ManagedProcess
            process.watcher = watcher
            process.hold()
        managed: ManagedWatcher = watcher
        return managed

    def give_back(self) -> None:
        """Make this an ordinary watcher again: it is not managed any more."""
        self.is_managed = False
        for process in self.processes.values():
            process.let_go()
        self.__class__ = Watcher

    @property
    def system(self) -> System:
        """The kernel."""
        return self._host.system

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
    def can_be_handed_over(self) -> bool:
        """True if the program runs and is to go on running."""
        return not self.is_stopped() and not self.is_stopping() and self.master is not None

    def adopt_if_dead(self) -> None:
        """Let each dead master's successor take its place."""
        for process in list(self.processes.values()):
            process.adopt_if_dead()

    def stop_setting(self) -> tuple[str, int]:
        """The setting of the stop signal and its number."""
        return f"[watcher:{self.name}] stop_signal", self.stop_signal

    @property
    def launch(self) -> Launch:
        """How Circus would start this watcher's process now."""
        args = self.args or ()
        words = words_of(args) if isinstance(args, str) else tuple(args)
        process = next(iter(self.processes.values()), None)
        return Launch(
            section=f"watcher:{self.name}",
            key="working_dir",
            command=() if self.shell else (*words_of(self.cmd), *words),
            directory=self.working_dir,
            started_in=process.started_in if process else "",
        )

    def refusal(self) -> str:
        """What keeps a restart of this running program from being a handover, or ""."""
        section = f"[watcher:{self.name}]"
        if self.numprocesses != 1:
            return self._too_many(self.numprocesses)
        if self.use_sockets:
            return (
                f"{section} use_sockets: a new master cannot have Circus's sockets; let the server "
                "bind its own, or take the watcher off the plugin's list"
            )
        if not os.path.isdir(self.working_dir):
            folder = printable(self.working_dir)
            return f"{section} working_dir: {folder} is not there; make it again"
        problem = self._problem_with_cmd()
        return f"{section} cmd: {problem}" if problem else ""

    def _too_many(self, processes: int) -> str:
        return (
            f"[watcher:{self.name}] numprocesses: must be 1 for a managed watcher, not "
            f"{processes}; set numprocesses = 1 and more workers in the server"
        )

    def _problem_with_cmd(self) -> str:
        """Why Circus could not start this watcher again, or ""."""
        if self.shell or "$" in self.cmd:
            return ""
        try:
            word = next(iter(shlex.split(self.cmd)), "")
        except ValueError as error:
            return f"{error} in {printable(self.cmd)}; correct cmd"
        path = (self.env or {}).get("PATH", os.defpath)
        if os.path.dirname(word):
            there = os.access(os.path.join(self.working_dir, word), os.X_OK)
        else:
            there = shutil.which(word, path=path) is not None
        named = printable(word) or "command"
        return "" if there else f"there is no {named}; install it, or correct cmd"

    # -- the ways to restart ---------------------------------------------------------------------

    def restart(self) -> Any:
        """Hand the program over. Takes no part in Circus's locking: it may last for minutes."""
        return self._host.begin(self) if self.can_be_handed_over else super().restart()

    def reload(self, graceful: bool = True, sequential: bool = False) -> Any:
        """Hand the program over or, with `send_hup`, send HUP."""
        if not self.reload_is_handover(graceful):
            return super().reload(graceful=graceful, sequential=sequential)
        if self.prereload_fn is not None:
            self.prereload_fn(self)
        return self._host.begin(self)

    def reload_is_handover(self, graceful: bool) -> bool:
        """True if a reload of this watcher is to be a handover now."""
        return self.can_be_handed_over and not (graceful and self.send_hup)

    @coroutine
    def _reload(self, graceful: bool = True, sequential: bool = False) -> Steps:
        """As one of all watchers, or after an option was changed; must not be waited for."""
        if not self.reload_is_handover(graceful):
            yield super()._reload(graceful=graceful, sequential=sequential)
        elif not self._host.reloads_all:  # `Host.reload_all` begins those
            self._host.begin(self)

    @coroutine
    def remove_expired_processes(self) -> Steps:
        """Replace a master that has reached `max_age` by a handover."""
        process = self.process
        if not process or not self.can_be_handed_over or self.program.handovers.running:
            return
        age = time.time() - max(process.started, self._expired_at)
        if age > self.max_age + random.randint(0, self.max_age_variance):
            self._expired_at = time.time()  # if it fails, not again at the next look
            self._host.begin(self)
        yield moment

    # -- the way to stop -------------------------------------------------------------------------

    @coroutine
    def _stop(self, close_output_streams: bool = False) -> Steps:
        """Stop the whole family, unless this is the first half of a restart."""
        if self._host.restarting and self.can_be_handed_over:
            self._host.begin(self)
            return
        if self._host.outlives_circusd(self):
            self._runs_on = True
            yield self._host.dismiss_callers()
            return
        self.program.handovers.cancel("the watcher was stopped")
        yield self._end(close_output_streams)

    @coroutine
    def _end(self, close_output_streams: bool) -> Steps:
        self.is_ending = True
        try:
            yield self._wait_for_kill()
            yield super()._stop(close_output_streams)
            yield self._see_orphans_off()
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

    def send_signal(self, pid: int, signum: int) -> None:
        """Signal the master; what would end it in the middle of a handover ends the new one too."""
        process = self.processes.get(pid)
        others: Sequence[Process] = ()
        if signum in COUNTING:
            self._workers.forget()
        if process and self._ends_all(signum):
            # Held first: once the master is gone, they can be proven no more.
            others = process.others_to_end()
        super().send_signal(pid, signum)
        for other in others:
            allowed = self.call_hook("before_signal", pid=other.pid, signum=signum)
            if allowed or signum == signal.SIGKILL:
                self.program.end([other], signum)
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
            number = kwargs["signum"]
            if (result or number == signal.SIGKILL) and self._ends_all(number):
                reason = f"the master was sent {signal.Signals(number).name}"
                self.program.handovers.cancel(reason)
        return result

    def send_signal_process(
        self, process: ManagedProcess, signum: int, recursive: bool = False
    ) -> None:
        """Signal a master and its children, or kill the whole family."""
        # Listed first: of a dead master Circus finds no children, and leaves them.
        workers = process.all_workers()
        super().send_signal_process(process, signum, recursive)
        self.program.signal(workers, signum)
        for worker in workers:
            worker.close()

    # -- when circusd itself restarts ------------------------------------------------------------

    def inherit(self, old: ManagedWatcher) -> None:
        """Go on with the process that the same watcher left before circusd's restart."""
        left = old._leave()
        # Circus may have started one already, this very moment: it cannot listen yet.
        for process in self.processes.values():
            process.let_go()
            if self.stream_redirector:
                self.stream_redirector.remove_redirections(process)
            process.send_signal(signal.SIGKILL)
        self.processes = {left.pid: left}
        left.watcher = self
        left.hold()
        self._redirect()
        # It was a restart that was asked for.
        self.loop.add_callback(guarded, self.name, self._host.begin, self)

    def _leave(self) -> ManagedProcess:
        """Let go of all that is this watcher's; the program runs on."""
        guarded(self.name, self._output.drain)
        (left,) = self.processes.values()
        left.let_go()
        if self.stream_redirector:
            self.stream_redirector.stop()
        for stream in (self.stdout_stream, self.stderr_stream):
            if hasattr(stream, "close"):
                stream.close()
        self.processes, self._runs_on = {}, False
        return left

    def _redirector_class(self, *arguments: Any, **keywords: Any) -> Redirector:
        redirector = Redirector(*arguments, **keywords)
        self._output.listen(redirector)
        return redirector

    def _create_redirectors(self) -> None:
        super()._create_redirectors()
        self._redirect()

    def _redirect(self) -> None:
        if self.stream_redirector:
            for process in self.processes.values():
                self.stream_redirector.start()
                self.stream_redirector.add_redirections(process)

    def end(self) -> Any:
        """Stop a program whose watcher is not there any more after circusd's restart."""
        self._runs_on = False
        return self._end(close_output_streams=True)

    def circusd_ends(self) -> None:
        """Stop a program that was to run on, but circusd cannot start anew."""
        process = self.process if self._runs_on or self.is_stopped() else None
        if process:
            self.program.end(process.all_masters(), self.stop_signal)

    # -- the end of a master ---------------------------------------------------------------------

    def master_died(self, process: ManagedProcess) -> None:
        """Put a dead master's successor in its place, or else see to what it left behind."""
        if self.is_managed and not guarded(self.name, self._succeed, process):
            told_to_quit = self.program.handovers.was_told_to_quit(process.pid)
            lived = time.time() - process.started
            self.loop.add_callback(self._without_master, process, told_to_quit, lived)

    def _succeed(self, process: ManagedProcess) -> bool:
        old, master = process.pid, process.master
        # A gunicorn whose old master stays a zombie ends itself, so it is reaped first.
        code = process.reap()
        successor = self.program.died(master) if master and code is not None else None
        if master is None or code is None or successor is None:
            return False
        try:
            process.become(successor)
        except psutil.NoSuchProcess:
            successor.close()
            return False
        # A new mapping: Circus may be in the middle of a loop over this one.
        self.processes = {p.pid: p for p in self.processes.values()}
        new = process.pid
        self.info_line(f"adopted pid {new}, successor of pid {old} (exit code {code})")
        if process.stopping or self.is_stopping():  # the signal was sent before this one was there
            self.program.end([successor], self.stop_signal)
        self.program.adopted(master)
        # Circus and the user's hooks hear of it when what Circus is doing now is done.
        self.loop.add_callback(guarded, self.name, self._tell_of_adoption, old, code, new)
        return True

    def _tell_of_adoption(self, old: int, code: int, new: int) -> None:
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

    @coroutine
    def _without_master(self, process: ManagedProcess, told_to_quit: bool, lived: float) -> Steps:
        """Reap a dead master at once, and start one in its place.

        One that lived for less than the time between two looks of Circus's is left to those looks:
        a crash at boot must not become a loop.
        """
        if not self.is_managed:
            return  # Circus replaces it at its next look
        self.program.lost()
        if process.stopping or self.is_stopping():
            return
        if process.dead and self.processes.get(process.pid) is process:
            self.reap_process(process.pid)
        if self._runs_on or not self._host.has(self):
            return  # the next arbiter starts it, or nobody does
        if told_to_quit or lived >= self._host.check_delay:
            yield self.manage_processes()

    def reap_process(self, pid: int, status: int | None = None) -> None:
        """Reap a dead process and tell of it, unless its successor takes its place."""
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
        guarded(self.name, self._output.drain)
        if self.stream_redirector:
            with contextlib.suppress(Exception):
                self.stream_redirector.remove_redirections(process)
        super().reap_process(pid, status)

    def manage_processes(self) -> Any:
        """Reap the dead, which Circus would drop without a word, then do as Circus does."""
        self._host.look()
        if self.is_managed:  # that look may have given it back
            self._reap_dead()
        return Watcher.manage_processes(self)

    def _reap_dead(self) -> None:
        for pid, process in list(self.processes.items()):
            if process.dead and not process.stopping and not self.is_stopped():
                guarded(self.name, self.reap_process, pid)

    def info(self, extended: bool = False) -> Any:
        """Tell what `circusctl stats` shows, of the masters of this moment."""
        self.adopt_if_dead()
        return super().info(extended)

    # -- workers ---------------------------------------------------------------------------------

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
            logger.error(self._too_many(np))
        raise Return(self.numprocesses)

    def set_opt(self, key: str, val: Any) -> Any:
        """Set an option. The number of processes is the number of workers."""
        if key == "numprocesses":
            return self._set_workers(int(val))
        action = super().set_opt(key, val)
        if action == 1 and key.split(".")[0] in NEEDS_A_START and self.can_be_handed_over:
            self.warn(
                f"set {key}: a handover re-executes what runs, so this is for the next start; "
                f"`circusctl stop {self.name}` and `circusctl start {self.name}` make one"
            )
            return -1
        return action

    @synchronized("watcher_set_opt")  # a caller who is refused must have changed nothing
    def _set_workers(self, number: int) -> int:
        self.loop.add_callback(self._workers.set, number)
        self.notify_event("updated", {"time": time.time()})
        return -1

    # -- the log ---------------------------------------------------------------------------------

    def info_line(self, text: str) -> None:
        """Log a line of this watcher's."""
        logger.info(f"{self.name}: {text}")

    def warn(self, text: str) -> None:
        """Log a line that is worth an operator's look."""
        logger.warning(f"{self.name}: {text}")

    def notify_event(self, topic: str, msg: dict[str, Any]) -> None:
        """Publish an event. The one of the removal is the only word Circus gives of it."""
        super().notify_event(topic, msg)
        if topic == "remove":
            self.program.handovers.cancel("the watcher was removed")


class PluginWatcher(Watcher):  # type: ignore[misc]
    """The plugin's own watcher. Circus's regular look at it is one at all watchers for us.

    It is not stopped in the restart of several watchers: their handovers need it.
    """

    _host: Host

    @classmethod
    def manage(cls, watcher: Watcher, host: Host) -> None:
        """Make the plugin's watcher one of this kind."""
        watcher.__class__ = cls
        watcher._host = host

    def manage_processes(self) -> Any:
        """Look for watchers that were added, then do as Circus does."""
        self._host.look()
        return super().manage_processes()

    @coroutine
    def _stop(self, close_output_streams: bool = False) -> Steps:
        if not self._host.restarting:
            yield super()._stop(close_output_streams)

    @coroutine
    def _restart(self) -> Steps:
        yield super()._stop()
        yield self._start()
