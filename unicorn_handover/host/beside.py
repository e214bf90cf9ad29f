"""The host's part of a handover by spawn: a new master, started beside a program's running one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from logging import INFO
from signal import SIGCONT, SIGKILL
from typing import Any

from ..errors import NotYet, Refused, printable, raised
from ..family.successors import end_master
from ..kernel.process import Process
from ..model.options import Options
from ..model.phases import Phase
from ..model.record import MasterId, Record
from ..servers import SERVERS, Launch
from .base import Host
from .guard import contained
from .handovers import Handovers
from .inheritance import inherit
from .orphans import MindedOrphans
from .output import Output
from .pid_files import MovedPidFiles, TakenPidFiles
from .supervised import Starter

AGAIN = 0.1  # seconds until a new master is started that cannot be yet


class Beside:
    """One program's new master, from its start until it has taken the old one's place or ended.

    pid: its number and its process group's, 0 while there is none. is_child: see `Master`. starter:
    None on a host that cannot start masters so.
    """

    def __init__(
        self,
        host: Host,
        handovers: Handovers,
        orphans: MindedOrphans,
        options: Callable[[], Options],
        output: Callable[[], Output],
    ) -> None:
        self.pid = 0
        self.starter: Starter | None = None
        self.failed = host.failed
        self._host = host
        self._system = host.system
        self._handovers = handovers
        self._orphans = orphans
        self._options = options
        self._output = output
        self._taken = TakenPidFiles(host.system)
        self._process: Process | None = None
        self.is_child = True
        self._moved: MovedPidFiles | None = None

    @property
    def process(self) -> Process | None:
        """The new master, held, while it lives; else None."""
        return self._process if self._process and self._process.alive() else None

    @contained(("usr2", ""))
    def plan(self) -> tuple[str, str]:
        """The method of a handover that begins now, and what speaks for that: see `Record`."""
        method = self._options().method
        why = self.starter.difference() if self.starter else ""
        if method == "spawn":
            return method, why or "method = spawn"
        return (method, why) if self.starter else ("usr2", "")

    @contained()
    def launch(self) -> Launch | None:
        """How the host would start the next master, None if it cannot."""
        return self.starter.next_launch if self.starter else None

    def reported(self, record: Record) -> None:
        """Start the new master that the driver waits for, once."""
        running = self._handovers.running
        if record.phase is not Phase.STARTING:
            return
        if running is None or running.key != record.key or running.new:
            return
        if self.starter is None:
            self._handovers.fail("this host starts no second master; set method = auto")
            return
        try:
            self._start(running, self.starter)
        except NotYet:
            self._host.loop.after(AGAIN, lambda: self.reported(record))
        except Exception as error:
            self._handovers.fail(str(error) if isinstance(error, Refused) else raised(error))

    def state(self) -> dict[str, Any]:
        """What is to be remembered of the new master, in plain types; {} while there is none."""
        if self._process is None:
            return {}
        moved = self._moved.state() if self._moved else {}
        return {"pid": self.pid, "start": self._process.start, **moved}

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take the new master that another host has started; False if none lives.

        Raises KeyError, TypeError or ValueError for nonsense.
        """
        if not state:
            return False
        self._moved = MovedPidFiles.restored(dict(state)) if "owner" in state else None
        self._hold(int(state["pid"]), int(state["start"]))
        if self._process is None:
            self.ended()
        return self._process is not None

    def _hold(self, pid: int, start: int | None = None) -> None:
        self.pid, self._process = pid, self._system.hold(pid, start)
        self.is_child = self._system.is_own_child(pid)
        if self._process:
            self._host.loop.watch(self._process.fileno(), self._exited)

    def _start(self, record: Record, starter: Starter) -> None:
        if self.process:
            raise Refused(
                f"pid {self.pid}, the new master of an earlier handover, has not ended yet; end it "
                "with its graceful signal"
            )
        pid_files = [self._options().pidfile, *self._taken.paths]
        inheritance = inherit(self._system, record, starter.command(), pid_files)
        self._host.become_subreaper()
        try:
            pid, go_on = starter.start_beside(inheritance)
        except BaseException:
            inheritance.give_back()
            raise
        inheritance.close()
        self._moved = inheritance.moved
        self._hold(pid)
        stat = self._system.stat(self.pid)  # also of one that has ended and is not reaped
        self._handovers.name_new(MasterId(self.pid, stat.start if stat else 0), inheritance.paths)
        go_on()

    @contained()
    def _exited(self) -> None:
        self._unwatch()  # a pidfd stays readable
        if self.starter:
            self.starter.reap_beside()

    @contained()
    def look(self) -> None:
        """Reap the new master now if it is dead: the driver may see that before the host does."""
        if self._process and not self._process.alive():
            self._exited()

    def _unwatch(self) -> None:
        if self._process:
            self._host.loop.unwatch(self._process.fileno())

    def take(self) -> Process | None:
        """Return the new master, for the caller to close: the old one has ended. None if dead.

        It is resumed: a driver stops it while it boots (`FirstWorker`), and may have been killed.
        """
        if self.process is None:
            return None
        self._unwatch()
        process, self._process = self._process, None
        moved, self._moved = self._moved, None
        if moved:
            moved.forget(self.pid)
        self.pid = 0
        if process:
            process.signal(SIGCONT)
        return process

    @contained()
    def ended(self) -> None:
        """Note that the host has reaped the new master: the old one gets its pid files back.

        Workers are left where the new master could not end them: it was killed, or is a gunicorn
        that found its unix socket unlinked already (Arbiter.stop raises then).
        """
        strangers = self._host.strangers(0 if self.is_child else self.pid)
        left = self._orphans.left_in(self.pid, strangers)
        self._orphans.keep(left, self._options().drain_timeout)
        moved, self._moved = self._moved, None
        if moved:
            moved.put_back()
        pid = self.pid
        self.release()
        self._start_again(pid, self._output().text)

    @contained(False)
    def starts_another(self, record: Record) -> bool:
        """True if another one is started in the place of the one that a driver saw fail.

        The driver has read the refusal, in the server's own log: it did not pass through the host.
        """
        if record.phase is not Phase.FAILED or record.new is None or self.process:
            return False
        return self._start_again(record.new.pid, "\n".join(record.output))

    def _start_again(self, pid: int, written: str) -> bool:
        """Start another one if `pid` has refused to start on an unknown pid file."""
        record = self._handovers.running
        if record is None or not self._is_wanted(record, pid):
            return False
        path = self._taken.learn(SERVERS[record.server], record.old, written)
        if not path:
            return False
        self._host.log(
            INFO,
            f"{record.program}: the new master (pid {pid}) found its pid file taken, "
            f"{printable(path)}; it is moved aside and another master is started; set pidfile",
        )
        self._output().begin()
        self._handovers.name_new(None)
        self._host.loop.after(0, lambda: self.reported(record.but(phase=Phase.STARTING)))
        return True

    def _is_wanted(self, record: Record, pid: int) -> bool:
        """True if `pid` was the new master, still to be proven, and no command is against it."""
        proving = record.phase in (Phase.STARTING, Phase.BOOTING)
        is_new = record.new is not None and record.new.pid == pid
        return proving and is_new and self._handovers.command != "rollback"

    @contained()
    def over(self, record: Record) -> None:
        """End a new master that outlived its handover, unless the old one was signalled to quit."""
        process, server = self.process, SERVERS.get(record.server)
        takes_over = self._handovers.was_told_to_quit(record.old.pid)
        if process and server and record.phase is Phase.FAILED and not takes_over:
            end_master(self._system, process, server.graceful)
            self._host.loop.after(self._options().drain_timeout, lambda: self._kill(process))

    def _kill(self, process: Process) -> None:
        if process is self._process:
            process.signal(SIGKILL)

    def release(self) -> None:
        """Give the descriptor back."""
        self._unwatch()
        process, self._process = self._process, None
        self.pid = 0
        if process:
            process.close()
