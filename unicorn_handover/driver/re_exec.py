"""Sends USR2 and detects the outcome: a new master, a child that died before exec, or nothing."""

from __future__ import annotations

from ..kernel.process import Process
from ..kernel.system import System
from ..servers import RE_EXEC, Server

REFUSED_AFTER = 5.0  # seconds in which a master that sleeps has taken USR2, and forked nothing
AGAIN_PAUSE = 0.5  # seconds without a child about to exec, after which that is judged


class ReExec:
    """Sends USR2 to a master without a successor, and follows the children that it forks.

    `since` is when USR2 was sent first, or is now to be, in seconds of the system's clock: a child
    that was there before is a worker or a helper, and proves nothing. `resumed` says that a driver
    before this one may have sent it: then of the children that are as old as that, within a clock
    tick, each may be the re-exec. Otherwise all that are there now were there before.

    A child that fails to exec ends after about 5 ms (measured), so it may come and go between two
    polls. It leaves its page faults in those of its parent.
    """

    def __init__(
        self, system: System, old: Process, server: Server, since: float, resumed: bool
    ) -> None:
        self._system = system
        self._old = old
        self._server = server
        self._since = system.ticks(since)
        self._before = frozenset() if resumed else frozenset(system.children(old.pid))
        self._about_to_exec: set[int] = set()  # all that were seen so, and became nothing else
        self._lost = False  # one of them has ended, or one that nobody saw
        self._children: tuple[set[int], set[int]] = set(), set()  # of the last two polls
        self._faults = self._faults_of_the_reaped()
        self._sent = False
        self._quiet_since = self._idle_since = system.clock()
        self._poll()
        # A driver before this one may have sent USR2 already.
        if not self._about_to_exec:
            self._send()

    def failed(self) -> bool:
        """Poll. Return True once the old master has forked and no child is left that could exec.

        Sends USR2 again where it was ignored.
        """
        self._poll()
        if self._system.clock() < self._quiet_since + AGAIN_PAUSE:
            return False
        if self._lost:
            # Never send USR2 again then: a gunicorn's failed child takes the workers along.
            return True
        if self._server.ignores_re_exec or not self._sent:
            # While a child may still exec, a second USR2 would start another one if that fails.
            self._send()
        return False

    def refused(self) -> bool:
        """True once the old master has handled USR2 and then slept for some time without a fork.

        unicorn refuses where its .oldbin file names a living process (HttpServer#reexec), gunicorn
        where it takes itself for a new master or has a child of a re-exec (Arbiter.reexec). One
        that is busy, or stopped, may come to it yet.
        """
        return self._system.clock() >= self._idle_since + REFUSED_AFTER

    def watch_anew(self) -> None:
        """Take no time in which nobody looked for one in which the old master slept."""
        self._idle_since = self._system.clock()

    def _may_come_to_it(self) -> bool:
        stat, masks = self._system.stat(self._old.pid), self._system.signal_masks(self._old.pid)
        taken = masks is not None and not masks.awaits(RE_EXEC)
        return bool(self._about_to_exec) or not (taken and stat and stat.state == "S")

    def _send(self) -> None:
        self._quiet_since = self._system.clock()
        self._sent = True
        self._old.signal(RE_EXEC)

    def _poll(self) -> None:
        # The faults first: a child that ended between this and the listing counts the next time. A
        # child that was listed in one of the last two polls and has ended may be what was counted.
        faults = self._faults_of_the_reaped()
        if faults > self._faults and all(map(self._lives, set.union(*self._children))):
            self._lost = True
        children = set(self._system.children(self._old.pid))
        # One that ends as it is seen first may no longer show what it was.
        fresh = children.difference(*self._children) if self._sent else set()
        self._children, self._faults = (self._children[1], children), faults
        about_to_exec = {pid for pid in children if self._may_exec(pid)}
        if about_to_exec:
            self._quiet_since = self._system.clock()
        others = (self._about_to_exec | fresh) - about_to_exec
        self._about_to_exec = about_to_exec | {p for p in others if not self._is_another(p)}
        if not all(map(self._lives, self._about_to_exec)):
            self._lost = True
        if self._may_come_to_it():
            self._idle_since = self._system.clock()

    def _faults_of_the_reaped(self) -> int:
        stat = self._system.stat(self._old.pid)
        return stat.reaped_faults if stat else 0

    def _lives(self, pid: int) -> bool:
        stat = self._system.stat(pid)
        return stat is not None and stat.ppid == self._old.pid and not stat.ended

    def _may_exec(self, pid: int) -> bool:
        """True for a fork of the master that is still as the master was, or ending after that.

        A worker has none of the master's handler of USR2, but its own of the graceful signal.
        A python that ends has neither.
        """
        stat, masks = self._system.stat(pid), self._system.signal_masks(pid)
        if not (stat and stat.forked_only and masks and not stat.ended):
            return False
        if stat.start < self._since or pid in self._before:
            return False
        was_as_the_master = pid in self._about_to_exec
        return masks.catches(RE_EXEC) or (
            was_as_the_master and not masks.catches(self._server.graceful)
        )

    def _is_another(self, pid: int) -> bool:
        """True if a child can no longer become a master: it is a worker, or a hook's program."""
        # The state last: the other facts of an ended process prove nothing.
        masks, argv = self._system.signal_masks(pid), self._system.command_line(pid)
        stat = self._system.stat(pid)
        if stat is None or stat.ended:
            return False
        if stat.forked_only:
            return masks is not None and masks.catches(self._server.graceful)
        shows_its_name = self._server.is_master(self._system.command_line(self._old.pid))
        return any(argv) and shows_its_name and not self._server.is_master(argv)
