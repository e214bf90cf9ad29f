"""A program's listening sockets, held by its host: while it has no master, connections wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from logging import INFO, WARNING

from ..errors import Refused
from ..family import members
from ..kernel.process import Process
from ..kernel.socket_name import HELD, SocketNames
from ..kernel.system import System
from ..model.options import Options
from ..servers import Server, server_of
from .base import Host
from .copies import Command, Copies
from .guard import contained
from .left_names import LeftNames
from .master import Master
from .timer import Timer

FIRST_POLL = 0.1  # seconds after the start of a master until the first poll for a ready worker
LONGEST_PAUSE = 1.0  # seconds between two polls
BETWEEN_CHECKS = 4.0  # seconds at least between two polls whether a master still has them
MOST = 0.75  # of the host's descriptors


class HeldSockets:
    """Copies of one program's sockets, from its first ready worker until it is stopped.

    When its master dies they are what connections wait in, and what the next master is started on.
    `options` gives the program's, as they are now; `command` how the host would start it after a
    crash. `log` takes a level and a line.
    """

    def __init__(
        self,
        host: Host,
        options: Callable[[], Options],
        command: Callable[[], Command],
        log: Callable[[int, str], None],
    ) -> None:
        self.failed = host.failed
        self._system = host.system
        self._loop = host.loop
        self._options = options
        self._command = command
        self._log = log
        self._master: Master | None = None
        self._copies: Copies | None = None
        self._origin: object = None  # what they came of, to be compared
        self._names: SocketNames | None = None  # kept while a stop or a start lasts
        self.left = LeftNames(host.system, lambda: self._copies is not None, host.failed)
        self._look = Timer(host.loop)  # the next poll for a ready worker
        self._end = Timer(host.loop)  # the end of the time that connections wait
        self._checked = 0.0  # when the master was last seen to have them
        self._stopped = False
        self._lost_by = 0  # the pid that had none of them at the last poll
        self._had_by: tuple[int, str] | None = None  # who had them last, and its executable
        self._logged: str | None = None  # what an operator knows to be held; "" if nothing can be

    @contained()
    def expect(self, master: Master, numbers: Sequence[int] = ()) -> None:
        """Copy the sockets of a master, started or adopted, once one of its workers is ready.

        That was so already if a driver has told the `numbers` of its listeners.
        """
        self._master = master
        self._look.stop()
        if self._stopped:
            return
        if not self._options().holds:
            self.let_go()  # of before that came into force
        server = self._server_of(master) if numbers else None
        if server and master.process and master.is_alive:
            self._found(master.process, server, numbers)
        else:
            self._look_at(master, self._system.clock())

    @contained()
    def check(self) -> None:
        """Copy them again if the living master has closed one since, as after a HUP.

        A copy of a socket that nobody accepts on turns a refusal into a wait. A host may ask for
        this as often as it likes. A master that was started on the copies proves itself first: one
        that crashes again and again would otherwise hold them for ever.
        """
        now = self._system.clock()
        if now < self._checked + BETWEEN_CHECKS:
            return
        self._checked = now
        process = self._master.process if self._master and self._master.is_alive else None
        if process is None or self._copies is None or self._copies.owner != process.pid:
            return
        if self._copies.are_current:
            return
        if self._system.listening_sockets(process.pid):  # else it is about to end
            self._take(process, self._copies.server)

    @contained()
    def stopping(self, for_good: bool = False) -> None:
        """Release the sockets before the program is stopped, unless a start may follow.

        `for_good` if the host ends as well.
        """
        self._look.stop()
        master = self._master.process if self._master and self._master.is_alive else None
        server = self._server_of(self._master) if self._master and master else None
        if master and server and not self._copies:
            self.left.find(master, server)
        if for_good or not self._options().hold_stop:
            self.let_go()
        elif not self._stopped:
            self._end.stop()
            self._keep_names()
        self._stopped = True
        if self._master is None or not self._master.is_alive:
            self.died()

    @contained()
    def died(self) -> None:
        """Note that the master has died: connections wait from now on, for `hold` seconds."""
        self._look.stop()
        self._release_names()
        self.left.died()
        if not self._copies or self._end.runs:
            return
        seconds = self._options().hold_stop if self._stopped else self._options().hold
        if seconds:
            self._end.start(seconds, self._time_is_up)
        else:
            self.let_go()

    @contained()
    def give(self) -> Copies | None:
        """Return the copies for a master about to be started, None if it must bind its own."""
        self._stopped = False
        if self._copies and not self._are_fit(self._copies):
            self._log(INFO, f"{self._copies.described()} is not what it will listen on")
            self.let_go()
        self._keep_names()  # a gunicorn that cannot load its application unlinks them at its end
        return self._copies

    @contained(False)
    def _are_fit(self, copies: Copies) -> bool:
        """True if the next master will listen on these, as the one before it did."""
        command = self._command()
        return not copies.new_addresses(command) and copies.origin(command) == self._origin

    @contained()
    def let_go(self) -> None:
        """Close the copies: connections are refused then, unless a master serves."""
        self._look.stop()
        self._end.stop()
        self._release_names()
        self._drop()

    @contained()
    def _look_at(self, master: Master, since: float) -> None:
        """Copy the sockets if a worker is ready; else poll again, at growing intervals."""
        process = master.process
        if process is None or not process.alive():
            return
        server = self._server_of(master)
        if server and not (self._options().holds or server.leaves_names):
            return
        if server and self._is_serving(process, server):
            self._found(process, server)
            return
        self._drop_what_was_lost(process)
        waited = self._system.clock() - since
        if waited < self._options().boot_timeout:
            pause = min(max(waited / 4, FIRST_POLL), LONGEST_PAUSE)
            self._look.start(pause, lambda: self._look_at(master, since))

    def _found(self, master: Process, server: Server, numbers: Sequence[int] = ()) -> None:
        if self._options().holds:
            self._take(master, server, numbers)
        else:
            self.left.find(master, server)

    def _server_of(self, master: Master) -> Server | None:
        return server_of(self._system, master.pid, self._options().server)

    def _drop_what_was_lost(self, process: Process) -> None:
        """Release them if the started master did not inherit them: it could not bind its own.

        A wrapper that closes all descriptors takes them away, for what it executes. What has had
        them under the same executable has closed them itself, because it ends: a gunicorn that
        cannot load its application does so first, and waits for its workers (Arbiter.stop).
        """
        stat = self._system.stat(process.pid)
        if stat is None or stat.ended or stat.forked_only or self._copies is None:
            return
        image = process.pid, self._system.executable(process.pid)
        if self._copies.are_in(process):
            self._had_by = image
        if self._had_by == image:
            return
        if self._lost_by == process.pid:  # at the last poll as well: it may be ending just now
            self._log(WARNING, f"pid {process.pid} was started without the sockets it was given")
            self._end.stop()
            self._drop()
        self._lost_by = process.pid

    def _is_serving(self, master: Process, server: Server) -> bool:
        if not server.accepts_signals(self._system, master.pid):
            return False
        return bool(members.workers(self._system, master, server).ready)

    def _take(self, master: Process, server: Server, numbers: Sequence[int] = ()) -> None:
        """Replace the copies by those of this master's sockets.

        A master that was killed just now shows none of them, or not all: what is held stays then.
        """
        self._release_names()
        before, self._copies, why = self._copies, None, ""
        try:
            copies = self._copies = Copies(self._system, master, server, numbers)
            self.left.know(copies)
            self._refuse_crowd(copies)
            self._origin = copies.origin(self._command())
        except (Refused, OSError) as error:
            why = str(error)
            self._drop()
        if _is_ending(self._system, master) and (before or why):
            before, self._copies = self._copies, before
        else:
            self._end.stop()
            self._tell(why)
        if before:
            before.close()

    def _refuse_crowd(self, copies: Copies) -> None:
        """Leave descriptors to the host's own work."""
        limit = self._system.descriptor_limit()
        if max(copies.numbers) > limit * MOST:
            raise Refused(f"few of the host's {limit} descriptors are left; raise its limit")

    def _tell(self, why: str) -> None:
        """Log that the sockets are held, or `why` they cannot be, when that changes."""
        held = self._copies.described() if self._copies else ""
        if held == self._logged:
            return
        self._logged = held
        if held:
            self._log(INFO, f"{held} is held, so that a crash refuses nothing")
        else:
            text = f"its sockets are not held, so a crash refuses connections: {why}"
            self._log(WARNING, text)

    def _time_is_up(self) -> None:
        if self._copies and not self._stopped:
            self._log(
                WARNING,
                f"no worker was ready within hold = {self._options().hold:g} s, so "
                f"{self._copies.described()} is not held any more",
            )
        self.let_go()

    def _keep_names(self) -> None:
        """Link unix sockets again whose names the server unlinks while it ends."""
        self._release_names()
        if self._copies is None or not self._copies.server.unlinks_sockets:
            return
        names = self._names = self._system.keep_names(self._copies.paths, HELD)
        for line in names.lost:
            self._log(WARNING, line)
        if names.fileno() >= 0:
            self._loop.watch(names.fileno(), names.restore)

    def _release_names(self) -> None:
        names, self._names = self._names, None
        if names:
            if names.fileno() >= 0:
                self._loop.unwatch(names.fileno())
            names.restore()
            names.release()

    def _drop(self) -> None:
        copies, self._copies = self._copies, None
        if copies:
            copies.close()
            self.left.remove()


def _is_ending(system: System, process: Process) -> bool:
    stat = system.stat(process.pid)
    return stat is None or stat.ended or not process.alive()
