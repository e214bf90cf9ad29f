"""The two kinds of subprocess this plugin has: a managed program, and the driver."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from supervisor.dispatchers import POutputDispatcher
from supervisor.options import ProcessConfig, decode_wait_status, make_namespec
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates

from unicorn_handover.family import members
from unicorn_handover.family.orphans import Orphans
from unicorn_handover.family.successors import Heirs, tell_to_end
from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.logs import Output
from unicorn_handover.kernel.process import Process
from unicorn_handover.model.options import Options
from unicorn_handover.model.orders import CHANNEL_FD
from unicorn_handover.model.record import MasterId
from unicorn_handover.servers import Launch, server_of, words_of

from .dispatchers import ChannelDispatcher, ExitDispatcher, OutputDispatcher
from .guard import guarded

if TYPE_CHECKING:
    from .host import Host


class ManagedSubprocess(Subprocess):  # type: ignore[misc]
    """A program whose master may re-execute itself: when it ends, its successor takes its place."""

    config: Any

    def __init__(self, config: ProcessConfig, host: Host, options: Options) -> None:
        Subprocess.__init__(self, config)
        self.handover_options = options
        self._host = host
        self._master: Process | None = None
        self._process_group = 0
        self._started_in = ""
        self._heirs = Heirs(host.system)
        self._orphans = Orphans(host.system, lambda text: host.log.warn(f"{config.name}: {text}"))
        self.output = Output()

    @property
    def namespec(self) -> str:
        """The name supervisorctl knows this process by: NAME, or GROUP:NAME."""
        return str(make_namespec(self.group.config.name, self.config.name))

    @property
    def master(self) -> MasterId | None:
        """The living master, or None."""
        held = self._master
        return MasterId(held.pid, held.start) if held and held.alive() else None

    @property
    def launch(self) -> Launch:
        """How Supervisor would start this program now."""
        config = self.config
        return Launch(
            section=f"program:{config.name}",
            key="directory",
            command=words_of(config.command),
            directory=config.directory or "",
            started_in=self._started_in,
        )

    @property
    def serves(self) -> bool:
        """True if the master has come to where it obeys signals."""
        system = self._host.system
        server = server_of(system, self.pid, self.handover_options.server)
        return server is not None and server.accepts_signals(system, self.pid)

    def spawn(self) -> int | None:
        """Start the first master of a family; its orphans will become supervisord's children."""
        # Here, because supervisord may have forked to daemonise since the plugin was loaded, and
        # the flag is not inherited over a fork.
        self._guarded(self._host.become_subreaper)
        directory = self.config.directory
        self._started_in = self._host.system.real_path(directory) if directory else ""
        pid: int | None = Subprocess.spawn(self)
        return pid

    def _spawn_as_parent(self, pid: int) -> int:
        Subprocess._spawn_as_parent(self, pid)
        self._process_group = pid  # the child makes itself the leader of a new group
        self._guarded(self._watch, pid)
        self._guarded(self._listen)
        return pid

    def _listen(self) -> None:
        """Let what comes out of the pipes pass through `output` too."""
        for dispatcher in self.dispatchers.values():
            if type(dispatcher) is POutputDispatcher:
                dispatcher.__class__ = OutputDispatcher
                dispatcher.output = self.output

    def finish(self, pid: int, sts: int) -> None:
        """The master was reaped: adopt its successor if one lives, else do as Supervisor does."""
        self._unwatch()
        successor = self._guarded(self._find_successor, pid)
        if successor:
            self._adopt(successor, pid, sts)
            return
        # A stopped master has waited for its workers, so what is left of it is new, and a shutdown
        # would leave it: supervisord ends now.
        if self.killing:
            self._guarded(self._orphans.kill)
        told_to_quit = self._guarded(self._host.told_to_quit, self.namespec, pid)
        Subprocess.finish(self, pid, sts)
        self._guarded(self._host.lost, self.namespec)
        # It was the handover that told this master to quit, and then the new one died: it was asked
        # for a running program, and an exit status of 0 would keep Supervisor from starting one.
        mood = self.config.options.mood
        if told_to_quit and self.state == ProcessStates.EXITED and mood == SupervisorStates.RUNNING:
            self.spawn()

    def _find_successor(self, old: int) -> Process | None:
        return self._host.find_successor(
            self.namespec,
            old,
            self._process_group,
            self._heirs,
            self._orphans,
            self.handover_options.drain_timeout,
        )

    def _adopt(self, successor: Process, old: int, sts: int) -> None:
        """Take the successor for this program's process, as if it had been spawned now.

        The pipes stay: the successor inherited their other ends. So do the state, and a stop that
        is under way with its deadline.
        """
        options = self.config.options
        _, message = decode_wait_status(sts)
        self.pid = successor.pid
        options.pidhistory[successor.pid] = self
        new = MasterId(successor.pid, successor.start)
        successor.close()
        self._guarded(self._watch, new.pid)
        self.laststart = self._host.wall_clock()
        options.logger.info(
            f"adopted: '{self.config.name}' with pid {new.pid}, successor of pid {old} ({message})"
        )
        self._guarded(self._host.adopted, self.namespec, new)
        if self.killing:  # the stop signal was sent before this master was there to get it
            self._guarded(self._tell_master_to_end)

    def kill(self, sig: int) -> str | None:
        """Stop or kill the whole family, also in the middle of a handover."""
        if not self.pid or self.state == ProcessStates.BACKOFF:
            return self._stock_kill(sig)
        as_group = (
            self.config.killasgroup
            if self.state == ProcessStates.STOPPING
            else self.config.stopasgroup
        )
        masters = self._guarded(self._heirs.gather, self.pid) or []
        workers = self._guarded(self._all_workers, masters) if sig == signal.SIGKILL else []
        # The driver lets go first, so that it starts no new master behind the signal.
        self._guarded(self._host.ending, self.namespec, "the program was stopped")
        error = self._stock_kill(sig)
        if error is None:
            if as_group and self._process_group != self.pid:
                self._guarded(self._signal_group, sig)
            for master in masters:
                self._guarded(tell_to_end, self._host.system, master, sig)
            for worker in workers or []:
                self._guarded(worker.signal, signal.Signals(sig))
        for process in workers or []:
            process.close()
        return error

    def _stock_kill(self, sig: int) -> str | None:
        """Kill as Supervisor does, but an adopted master not as a group: it leads none.

        Supervisor 4.2.0 takes the error of that for a reason to know the process no more.
        """
        config = self.config
        if self._process_group != self.pid:
            self.config = copy.copy(config)
            self.config.stopasgroup = self.config.killasgroup = False
        try:
            error: str | None = Subprocess.kill(self, sig)
        finally:
            self.config = config
        return error

    def _all_workers(self, masters: list[Process]) -> list[Process]:
        heads = [self.pid, *(master.pid for master in masters)]
        return [w for head in heads for w in members.forked_by(self._host.system, head)]

    def _signal_group(self, sig: int) -> None:
        """Signal the group of the first master, which every later one is in."""
        if os.getpgid(self.pid) == self._process_group:  # unreaped, so the number is still its own
            os.killpg(self._process_group, sig)

    def _tell_master_to_end(self) -> None:
        if self._master:
            tell_to_end(self._host.system, self._master, self.config.stopsignal)

    def transition(self) -> None:
        """Look after what a dead master left behind, then do as Supervisor does."""
        self._guarded(self._orphans.mind)
        Subprocess.transition(self)

    def release(self) -> None:
        """Give the descriptors of the orphans and of other masters back."""
        self._orphans.release()
        self._heirs.release()

    def _watch(self, pid: int) -> None:
        self._master = self._host.system.hold(pid)
        if self._master:
            pidfd = self._master.fileno()
            self.dispatchers[pidfd] = ExitDispatcher(self, pidfd)

    def _unwatch(self) -> None:
        master, self._master = self._master, None
        if master:
            self.dispatchers.pop(master.fileno(), None)
            # Another descriptor may get this number before the loop polls again.
            with contextlib.suppress(Exception):
                self.config.options.poller.unregister_readable(master.fileno())
            master.close()

    def _guarded(self, act: Any, *arguments: Any) -> Any:
        return guarded(self._host.log, act, *arguments)


class DriverSubprocess(Subprocess):  # type: ignore[misc]
    """The event listener that drives the handovers. It gets a socket to supervisord as fd 3."""

    def __init__(self, config: ProcessConfig, host: Host) -> None:
        Subprocess.__init__(self, config)
        self._host = host
        self._far: socket.socket | None = None
        self.channel: HostEnd | None = None
        self._ear: ChannelDispatcher | None = None

    def spawn(self) -> int | None:
        """Start the driver with its end of a new channel."""
        near = guarded(self._host.log, self._make_channel)
        pid: int | None = Subprocess.spawn(self)
        if self._far:
            self._far.close()
            self._far = None
        if near and pid:
            self.channel = HostEnd(near, self._hear, self._host.log.error)
            self._ear = self.dispatchers[near.fileno()] = ChannelDispatcher(self, self.channel)
        elif near:
            near.close()
        return pid

    def _make_channel(self) -> socket.socket:
        near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return near

    def _prepare_child_fds(self) -> None:
        """Do as Supervisor does, and keep the channel open as well."""
        options: Any = self.config.options
        options.dup2(self.pipes["child_stdin"], 0)
        options.dup2(self.pipes["child_stdout"], 1)
        options.dup2(self.pipes["child_stderr"], 2)
        first_to_close = CHANNEL_FD
        if self._far:
            options.dup2(self._far.fileno(), CHANNEL_FD)
            os.set_inheritable(CHANNEL_FD, True)
            first_to_close += 1
        for descriptor in range(first_to_close, options.minfds):
            options.close_fd(descriptor)

    def transition(self) -> None:
        """Hear the driver, then do as Supervisor does."""
        self._hear_news()
        Subprocess.transition(self)

    def _hear_news(self) -> None:
        if self._ear:
            guarded(self._host.log, self._ear.hear)

    def _hear(self, message: dict[str, Any]) -> None:
        self._host.driver_said(self, message)

    def finish(self, pid: int, sts: int) -> None:
        """The driver ended: hear its last words, then do as Supervisor does."""
        Subprocess.finish(self, pid, sts)
        self._hear_news()
        channel, self.channel, self._ear = self.channel, None, None
        if channel:
            with contextlib.suppress(Exception):
                self.config.options.poller.unregister_readable(channel.fileno())
            channel.close()
        guarded(self._host.log, self._host.driver_ended, self)
        # The loop would let up to a second pass before it looks at this process again, and a soak
        # whose new master dies now has nobody to bring the old workers back.
        self.transition()
