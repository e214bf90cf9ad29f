"""Workers that live more shortly than the time between two looks at them."""

from __future__ import annotations

from unicorn_handover.driver.new_workers import DYING, NewWorkers
from unicorn_handover.servers import SERVERS

from ..fake_process import Fake
from ..fake_system import FakeSystem

WALL, MONOTONIC, MODE = 1_700_000_000.0, 999.0, 0o100600
BOOT = 0.4  # seconds


class Family:
    """A gunicorn master with one worker at a time, seen when it boots and when it has ended."""

    def __init__(self) -> None:
        self.system = FakeSystem()
        self.master = self.system.add(ppid=1, forked=False, words=["gunicorn: master [app]"])
        held = self.system.hold(self.master.pid)
        assert held
        self.held = held
        self.workers = NewWorkers(self.system, held, SERVERS["gunicorn"])

    def let_one_live(self, serves: bool, status: int = 0) -> None:
        """Fork a worker, look, and let it serve one request, or not, and end."""
        worker = self.fork()
        self.look()
        (inode,) = worker.heartbeats
        if serves:
            self.master.heartbeats[inode] = worker.heartbeats[inode] = (MONOTONIC, MODE)
        self.system.end(worker, status)
        del self.master.heartbeats[inode]

    def fork(self) -> Fake:
        """Fork a worker, which loads the application."""
        inode = len(self.system.processes) + int(self.system.now * 1000)
        self.master.heartbeats[inode] = (WALL, MODE)
        beats = {inode: (WALL, MODE)}
        return self.system.add(
            ppid=self.master.pid, forked=True, words=["gunicorn: worker"], heartbeats=beats
        )

    def look(self) -> bool:
        """Look, and return whether all are ready."""
        self.system.advance_to(self.system.now + BOOT)
        self.workers.poll()
        return self.workers.all_ready(1)

    def close(self) -> None:
        """Give everything back."""
        self.workers.close()
        self.held.close()
        assert self.system.open_handles == 0


def test_workers_that_serve_one_request_each() -> None:
    """`max_requests = 1`: each has left its heartbeat, though none was ever seen to be ready."""
    family = Family()
    for _ in range(2 * DYING):
        family.let_one_live(serves=True)
    family.fork()
    assert family.look() and not family.workers.crash_looping
    family.close()


def test_workers_that_end_well_and_never_served() -> None:
    """An application that calls `exit` while it loads is broken, whatever its exit status."""
    family = Family()
    for _ in range(DYING):
        family.let_one_live(serves=False)
    family.fork()
    assert not family.look() and family.workers.crash_looping
    family.close()


def test_one_that_served_long_ago_is_no_proof() -> None:
    """The worker in its place has not become ready: its release may have been exchanged."""
    family = Family()
    family.let_one_live(serves=True)
    family.fork()
    assert family.look()
    for _ in range(6):
        ready = family.look()
    assert not ready
    family.close()
