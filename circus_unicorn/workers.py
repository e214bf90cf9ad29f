"""`incr`, `decr` and `set numprocesses` of a managed watcher: workers come and go, not masters."""

from __future__ import annotations

from signal import Signals
from typing import TYPE_CHECKING

from tornado.gen import Return, sleep

from unicorn_handover.servers import ADD_WORKER, DROP_WORKER
from unicorn_handover.system import Process

from .coroutines import Steps, coroutine

if TYPE_CHECKING:
    from .watcher import ManagedWatcher

PAUSE = 0.02  # seconds between looks: that a signal was taken wakes nobody
PATIENCE = 5.0  # seconds for a master to take one signal


@coroutine
def change_workers(watcher: ManagedWatcher, change: int) -> Steps:
    """Add `change` workers, or take so many; gives the number the master is to have.

    Both masters of a handover are told. The kernel keeps one pending signal of a kind, and unicorn
    five, so each waits until the one before was taken.
    """
    count = watcher.worker_count()
    number = ADD_WORKER if change > 0 else DROP_WORKER
    for _ in range(abs(change)):
        process = watcher.process
        if process is None or process.master is None:
            break
        before = watcher.worker_count()
        for master in [process.master, *process.other_masters()]:
            master.signal(number)
        yield _taken(watcher, process.master, number, before)
        count += 1 if change > 0 else -1
    raise Return(max(count, 0))


@coroutine
def _taken(watcher: ManagedWatcher, master: Process, number: Signals, before: int) -> Steps:
    """Wait until a master has got a signal and, if it adds a worker, has forked it."""
    deadline = watcher.system.clock() + PATIENCE
    while watcher.system.clock() < deadline:
        yield sleep(PAUSE)
        masks = watcher.system.signal_masks(master.pid)
        if masks is None:
            return
        if masks.awaits(number):
            continue
        if number == DROP_WORKER or watcher.worker_count() > before:
            return
