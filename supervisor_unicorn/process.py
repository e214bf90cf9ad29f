"""A managed program as supervisord's process."""

from __future__ import annotations

import copy
import signal
import time
from collections.abc import Callable
from typing import Any

from supervisor.options import ProcessConfig, decode_wait_status
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates

from unicorn_handover.host.copies import Copies
from unicorn_handover.host.guard import contained
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.host.loop import Call
from unicorn_handover.host.master import Master
from unicorn_handover.host.output import Output
from unicorn_handover.host.program import Program
from unicorn_handover.kernel.gate import Gate
from unicorn_handover.kernel.process import Process

from .beside import BesideSubprocess
from .child import prepare_master
from .loop import PollLoop
from .output import listen
from .section import to_json
from .states import starts_again
from .survivor import SurvivingSubprocess


class ManagedSubprocess(SurvivingSubprocess):
    """A program whose master may re-execute itself: when it ends, its successor takes its place.

    `reap` is supervisord's own search for dead children, which calls `finish`.
    """

    def __init__(
        self, config: ProcessConfig, program: Program, loop: PollLoop, reap: Callable[[], None]
    ) -> None:
        super().__init__(config, program)
        self._loop = loop
        self._reap = reap
        self._beside: BesideSubprocess | None = None
        self._given: Copies | None = None
        self._gate: Gate | None = None
        program.supervised = program.beside.starter = self
        program.label = config.name

    def spawn(self) -> int | None:
        """Start the first master of a family; its orphans will become supervisord's children."""
        if self.read_config and self.state in (ProcessStates.STOPPED, ProcessStates.FATAL):
            self.bring_into_force(self.read_config, "")
            self.read_config = None
        self._started_in = self._directory_of(self.config)
        self._given = self.program.begins()
        gate = self._gate = self._make_gate()
        try:
            pid: int | None = Subprocess.spawn(self)
        finally:
            if gate:
                gate.open()  # it is remembered by now
        return pid

    @contained()
    def _make_gate(self) -> Gate | None:
        return Gate()

    def _prepare_child_fds(self) -> None:
        """In the child: give the new master the sockets that were held for it."""
        prepare_master(self, self._gate, self._given, self.program.options.own_reader)

    def _spawn_as_parent(self, pid: int) -> int:
        Subprocess._spawn_as_parent(self, pid)
        # The child makes itself the leader of a new group. Its exit has only to wake supervisord's
        # loop, which reaps in each turn: neither SIGCHLD does, nor the log pipes while a new master
        # holds them, so it could sleep for a second (supervisord.py, `runforever`).
        self._master = self.program.hold(pid, self._exited, group=pid)
        self._listen()
        return pid

    @contained()
    def _listen(self) -> None:
        listen(self, self.program.output)

    def finish(self, pid: int, sts: int) -> None:
        """The master was reaped: adopt its successor if one lives, else do as Supervisor does."""
        master, self._master = self._master, None
        successor = self.program.died(master) if master else None
        if master and successor:
            self._adopt(master, successor, sts)
            return
        # A stopped master has waited for its workers, so what is left of it is new, and a shutdown
        # would leave it: supervisord ends now.
        if self.killing:
            self.program.orphans.kill()
        told_to_quit = self.program.handovers.was_told_to_quit(pid)
        Subprocess.finish(self, pid, sts)
        self.program.lost()
        if not (told_to_quit or self.state == ProcessStates.STOPPED or starts_again(self)):
            self.program.held.let_go()
        # It was the handover that signalled this master to quit, and then the new one died: it was
        # asked for a running program, and an exit status of 0 would keep Supervisor from starting
        # one.
        mood = self.config.options.mood
        if told_to_quit and self.state == ProcessStates.EXITED and mood == SupervisorStates.RUNNING:
            self.spawn()

    def _adopt(self, master: Master, successor: Process, sts: int) -> None:
        """Take the successor for this program's process, as if it had been spawned now.

        The pipes stay: the successor inherited their other ends. So do the state, and a stop that
        is under way with its deadline.
        """
        options = self.config.options
        old, (_, message) = master.pid, decode_wait_status(sts)
        self._take_over(successor.pid)
        master.replace(successor)
        self._master, self.pid = master, master.pid
        options.pidhistory[self.pid] = self
        self.laststart = time.time()
        options.logger.info(
            f"adopted: '{self.config.name}' with pid {self.pid}, successor of pid {old} ({message})"
        )
        self.program.adopted(master)
        if self.killing:  # the stop signal was sent before this master was there to get it
            master.end([successor], self.config.stopsignal)

    def start_beside(self, inheritance: Inheritance) -> tuple[int, Call]:
        """Start a new master by the configuration as it is now."""
        config = self.coming_config
        self._beside = BesideSubprocess(
            config,
            self.group,
            inheritance,
            self._beside_ended,
            self.program.options.own_reader,
        )
        self._beside.started_in = self._directory_of(config)
        try:
            pid = self._beside.start()
        except BaseException:
            self._beside = None
            raise
        self._poll_beside(self._beside)
        return pid, self._beside.let_go_on

    def _poll_beside(self, beside: BesideSubprocess) -> None:
        listen(self, Output())  # the old master's output explains nothing about a new one's failure
        listen(beside, self.program.output)
        self.dispatchers.update(beside.dispatchers)  # supervisord polls what it finds here

    def take_beside_over(self, own: dict[str, Any]) -> None:
        """Take the new master over that an earlier supervisord has started beside the running one.

        `own` is what that has remembered of it.
        """
        held = self.program.beside.process
        if held is None:
            return
        self._beside = BesideSubprocess(
            self.section_of(own) or self.coming_config, self.group, None, self._beside_ended
        )
        self._beside.started_in = str(own.get("started_in", ""))
        self._beside.take_over(held, self.log_warning)
        self._poll_beside(self._beside)

    def remembered(self) -> dict[str, Any]:
        """What the next supervisord needs, also of a new master beside the running one."""
        beside = self._beside
        own = {"section": to_json(beside.config), "started_in": beside.started_in} if beside else {}
        return {**super().remembered(), "beside": own}

    def _beside_ended(self) -> None:
        self._drop_beside()
        self._listen()
        self.program.beside.ended()

    def _drop_beside(self) -> None:
        beside, self._beside = self._beside, None
        for descriptor in beside.dispatchers if beside else ():
            self.dispatchers.pop(descriptor, None)

    def _take_over(self, pid: int) -> None:
        """Let the new master's configuration and pipes be this program's, if it is that one."""
        beside = self._beside
        if beside is None or beside.pid != pid:
            return
        self._drop_beside()
        self.drain()  # of the old one alone: a read of an empty pipe would close it
        self.config.options.close_parent_pipes(self.pipes)
        self.pipes, self.dispatchers = beside.pipes, beside.dispatchers
        for dispatcher in self.dispatchers.values():
            dispatcher.process = self
        if not self.killing:  # else it is only to be ended, and its section was never proven
            self.bring_into_force(beside.config, beside.started_in)
            self.read_config = None

    def give_up(self) -> None:
        """Start it no more: it is FATAL."""
        self.program.held.let_go()
        Subprocess.give_up(self)

    def kill(self, sig: int) -> str | None:
        """Stop or kill the whole family, also in the middle of a handover."""
        ending = self.config.options.mood < SupervisorStates.RUNNING
        # The driver lets go first, so that it starts no new master behind the signal.
        self.program.handovers.cancel("the program was stopped")
        self.program.held.stopping(for_good=ending)
        self.program.survival.stopping()
        self.see_end()
        master = self._master
        if not self.pid or self.state == ProcessStates.BACKOFF or master is None:
            error = self._stock_kill(sig)
            if self.state == ProcessStates.STOPPED:
                self.program.survival.lost()
            return error
        stopping, config = self.state == ProcessStates.STOPPING, self.config
        as_group = config.killasgroup if stopping else config.stopasgroup
        # Held before the signal: afterwards nothing proves them.
        others = self.program.other_masters(master, ending=True)
        workers = self.program.workers(master) if sig == signal.SIGKILL else ()
        error = self._stock_kill(sig)
        if error is None:
            if as_group and master.group != self.pid:
                master.signal_group(sig)
            master.end(others, sig)
            master.signal(workers, sig)
        for worker in workers:
            worker.close()
        return error

    def _stock_kill(self, sig: int) -> str | None:
        """Kill as Supervisor does, but an adopted master not as a group: it leads none.

        Supervisor 4.2.0 takes the error of that for a reason to know the process no more.
        """
        config = self.config
        if self._master and self._master.group != self.pid:
            self.config = copy.copy(config)
            self.config.stopasgroup = self.config.killasgroup = False
        try:
            error: str | None = Subprocess.kill(self, sig)
        finally:
            self.config = config
        return error

    def transition(self) -> None:
        """Let this package have its turn of supervisord's loop, then do as Supervisor does."""
        self._loop.turn()
        Subprocess.transition(self)

    def reap_beside(self) -> None:
        """Leave it to supervisord, which reaps its children in each turn: this wakes it."""
        beside, pid = self._beside, self.program.beside.pid
        if beside and not self.program.beside.is_child:
            self.config.options.pidhistory.pop(pid, None)
            beside.finish(pid, 0)

    def adopt_if_dead(self) -> None:
        """Reap the dead now, among them maybe the old master."""
        self._reap()
        self.see_end()
