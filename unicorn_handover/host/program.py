"""One supervised program: the central object of a host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from logging import WARNING

from ..family import members
from ..kernel.process import Process
from ..model.excerpt import cause
from ..model.options import Options
from ..model.orders import Order
from ..model.phases import Phase
from ..model.record import MasterId, Record
from ..servers import Launch, Server, server_of
from .background import went_away
from .base import Host
from .beside import Beside
from .copies import Copies
from .guard import contained
from .handovers import Handovers
from .held import HeldSockets
from .master import Master
from .orphans import MindedOrphans
from .output import Output
from .stop_signal import StopSignal
from .supervised import Supervised
from .survival import Survival


class Program:
    """A program's masters, its orphans, its sockets, its output and its handovers.

    name: what the host's own commands know it by; `label` begins its log lines. refusal: the
    setting that keeps every restart from being a handover, or "". output: what it writes through
    the host, which may set an `Output` of its own kind. log: writes a line about it, at a level of
    `logging`, to the host's log.

    What a host calls here returns nothing, or False, where it fails, and logs why: an error of ours
    stays ours.
    """

    supervised: Supervised

    def __init__(
        self, host: Host, name: str, options: Options, changed: Callable[[Record, bool], None]
    ) -> None:
        self.name = self.label = name
        self.options = options
        self.refusal = ""
        self.output = Output()
        self.handovers = Handovers(
            name, host.system.clock, lambda: self.master, self._changed, lambda: self.beside.plan()
        )

        def log(level: int, text: str) -> None:
            host.log(level, f"{self.label}: {text}")

        def living() -> Master | None:
            return next((master for master in self._masters if master.is_alive), None)

        self.log = log
        self._living = living
        self.orphans = MindedOrphans(
            host.system,
            host.loop,
            lambda text: self.log(WARNING, text),
            self.failed,
            lambda: self.held.left.remove(),
        )
        self.stop_signal = StopSignal(
            self.server, lambda text: host.log(WARNING, text), self.failed
        )
        self.system = host.system
        self.beside = Beside(
            host, self.handovers, self.orphans, lambda: self.options, lambda: self.output
        )
        self.held = HeldSockets(
            host, lambda: self.options, lambda: self.supervised.command_in_force(), self.log
        )
        self.survival = Survival(host, self, self._living, lambda: self.supervised, self.log)
        self._host = host
        self._tell_host = changed
        self._masters: list[Master] = []

    @property
    def master(self) -> MasterId | None:
        """The living master, or None."""
        return next((master.id for master in self._masters if master.id), None)

    def failed(self, text: str) -> None:
        """Log a contained error of this plugin."""
        self._host.failed(f"{self.label}: {text}")

    @contained()
    def server(self) -> Server | None:
        """The server of the living master, None if none is known (yet)."""
        master = self.master
        return server_of(self.system, master.pid, self.options.server) if master else None

    @contained(False)
    def serves(self) -> bool:
        """True if the living master accepts signals."""
        master, server = self.master, self.server()
        return bool(master and server and server.accepts_signals(self.system, master.pid))

    @contained()
    def begins(self) -> Copies | None:
        """Prepare for the first master of a family; return the sockets that are held for it.

        Its orphans are to come to the host. The kernel's flag for that is not inherited, and a host
        may fork to daemonise: to be called each time, and by the process that stays.
        """
        self._host.become_subreaper()
        self.survival.begins()
        return self.held.give()

    def hold(self, pid: int, exited: Callable[[], None], group: int = 0) -> Master:
        """Hold a master that the host has started. Never raises.

        `exited` is called on the host's loop when it has exited. `group` is its process group, 0
        for the one that it is in now.
        """
        if not group:
            stat = self.system.stat(pid)
            group = stat.pgrp if stat else pid
        master = Master(self.system, self._host.loop, self.failed, pid, group, exited)
        self._masters = [other for other in self._masters if other.is_alive] + [master]
        self.held.expect(master)
        self.survival.note()
        return master

    @contained()
    def died(self, master: Master) -> Process | None:
        """Hold and return a dead master's successor, or None: what is left is orphaned then."""
        master.release()
        self.held.died()
        self.survival.ended(master)
        new = self.handovers.new_master_of(master.pid)
        strangers = self._host.strangers(0 if master.is_child else master.group)
        if new and not master.is_child and new.pid not in self._host.known_pids():
            strangers.append(new.pid)
        left = self.orphans.left_in(master.group, strangers)
        beside = self.beside.take()
        if beside:
            self.orphans.keep(left, self.options.drain_timeout)
            master.group = beside.pid  # of its own, in which none of those is
            return beside
        successor = master.successors.take() or members.successor_among(
            self.system, strangers, master.pid, master.group, new
        )
        if successor is None:
            line = went_away(self.system, self._launch() or Launch())
            if line:
                self.log(WARNING, line)
            left += master.sharers.take(strangers)
            self.held.left.orphaned(left)
            self.orphans.keep(left, self.options.drain_timeout)
            return None
        running = self.handovers.running
        if running and running.phase.traits.quits != "old":  # nobody has told it to end
            self.orphans.keep_workers(left, self.options.drain_timeout)
        else:
            for process in left:
                process.close()
        return successor

    @contained()
    def adopted(self, master: Master) -> None:
        """Note that a master's successor has taken its place."""
        running = self.handovers.running
        is_known = running is not None and running.new == master.id
        self.held.expect(master, running.new_listening if running and is_known else ())
        if master.id:
            self.handovers.adopted(master.id, self._host.presence.is_there)
        self.survival.note()

    def lost(self) -> None:
        """Note that the program has no master any more.

        The host may see that before the driver does; the program's output shows why.
        """
        ended = self.handovers.why_lost()
        running = self.handovers.running
        output = self._output_for(running.but(reason=ended)) if running else ()
        self.handovers.lost(ended, output)
        self.survival.lost()

    @contained()
    def adopt_if_dead(self) -> None:
        """Adopt the successor of a dead master, if the host has not done so yet."""
        self.supervised.adopt_if_dead()

    @contained(())
    def other_masters(self, master: Master, ending: bool = False) -> Sequence[Process]:
        """All masters below and beside this one, held until each has taken over or ended.

        If this one is `ending`, what else has its sockets will end with it.
        """
        if ending:
            master.sharers.gather(master.pid)
        beside = self.beside.process
        return [*master.others(), *([beside] if beside else [])]

    def second_master(self) -> tuple[str, MasterId] | None:
        """The server and the new master that a USR2 by hand has put beside the program's, or None.

        One of a handover is proven in the same way, so this is for a program without one.
        """
        living = self._living()
        return living.successor() if living else None

    @contained(())
    def workers(self, master: Master) -> Sequence[Process]:
        """The workers of this and of all other masters, each for the caller to close."""
        heads = [master.pid, *(other.pid for other in self.other_masters(master))]
        return [w for head in heads for w in members.forked_by(self.system, head)]

    def report(self, record: Record) -> None:
        """Store a record of the driver. A record dropped here would never be sent again."""
        if record.phase.final or record.phase is Phase.CONFIRMING:
            # A dead master is replaced before any caller gets an answer.
            self.adopt_if_dead()
            self.beside.look()
        if self.beside.starts_another(record):
            return
        self.handovers.report(record.but(output=self._output_for(record)))
        self.beside.reported(record)

    @contained(())
    def _output_for(self, record: Record) -> tuple[str, ...]:
        """The cause, from what passed through the host or from the files that the driver has read.

        What the masters print while the new one is backed out explains nothing.
        """
        if not record.reason or not record.signalled:
            return ()
        known = self.handovers.find(record.number)
        if known and known.output:
            return known.output
        old = members.writers_but(self.system, record)
        excerpts = [*self.output.excerpts(old), record.output]
        return cause(record.reason, excerpts, self.output.elsewhere)

    def _changed(self, record: Record, entered: bool) -> None:
        """Keep the output from the request of a handover to its end."""
        if record.phase.final:
            self.output.end()
            self.beside.over(record)
        elif not self.output.is_kept:
            self.output.begin()
        self._tell_host(record, entered)
        self.survival.note()

    def order(self) -> Order | None:
        """The order for the driver, or None."""
        handovers = self.handovers
        if handovers.running is None:
            return None
        launch = self._launch() or Launch()
        next_launch = self.beside.launch() or launch
        return Order(handovers.running, self.options, handovers.command, launch, next_launch)

    @contained()
    def _launch(self) -> Launch | None:
        return self.supervised.launch

    @contained()
    def release(self) -> None:
        """Close all descriptors."""
        for master in self._masters:
            master.close()
        self._masters = []
        self.beside.release()
        self.held.let_go()
        self.orphans.release()
