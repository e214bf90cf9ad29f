"""New workers that die in the soak: when they are a crash loop, and when they are not."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGKILL, SIGSEGV, SIGTTOU

import pytest

from unicorn_handover.model.phases import Phase

from ..fake_process import Fake
from .history import History


def crash(history: History, worker: Fake, status: int = 1 << 8) -> None:
    """Let a worker of the new master die; the master replaces it a moment later."""
    history.system.end(worker, status)
    history.system.later(0.05, lambda: history.unicorn.fork_worker(history.new, 0.1))


def live(history: History, seconds: float) -> None:
    """Let time pass in a phase that does not end."""
    assert history.handover
    until = history.system.now + seconds
    while history.system.now < until:
        history.handover.step()
        history.system.advance_to(history.system.now + 0.05)


@pytest.mark.parametrize("tells_ends", [True, False])
@pytest.mark.parametrize("status", [1 << 8, SIGSEGV], ids=["exit", "signal"])
def test_new_workers_that_crash_in_the_soak_when_they_were_ready(
    status: int, tells_ends: bool
) -> None:
    """Three that are replaced and die again within seconds are a crash loop."""
    history = History(soak=1000.0)
    history.system.tells_ends = tells_ends
    history.run(Phase.SOAKING)
    for _ in range(3):
        crash(history, history.unicorn.workers(history.new)[0], status)
        live(history, 0.5)
    record = history.run()
    assert record.phase is Phase.FAILED and "keep dying in the soak" in record.reason


def recycle(
    history: History, seconds: float, times: int, master: Callable[[], Fake], status: int = 0
) -> None:
    """Let the eldest worker of a master end, well if not told, and be replaced, so many times."""
    system, unicorn = history.system, history.unicorn

    def end_one() -> None:
        system.end(unicorn.numbered(master())[0], status)
        unicorn.fork_worker(master(), 0.1)

    for turn in range(times):
        system.later(seconds * (turn + 1), end_one)


def test_new_workers_that_recycle_themselves_in_the_soak() -> None:
    """max_requests and worker killers end them well, time and again, and however young."""
    history = History(soak=8.0)
    history.run(Phase.SOAKING)
    recycle(history, 0.4, 18, lambda: history.new)
    assert history.run().succeeded


def test_workers_that_recycle_themselves_without_a_pause() -> None:
    """At every moment one of them boots, in the place of one that was ready."""
    history = History(soak=2.0)
    history.run(Phase.SOAKING)

    def recycle_for_ever() -> None:
        if history.new.alive:
            history.system.end(history.unicorn.numbered(history.new)[0])
            history.unicorn.fork_worker(history.new, 0.9)
            history.system.later(0.5, recycle_for_ever)

    recycle_for_ever()
    record = history.run()
    assert record.succeeded and record.ended - record.signalled < 5


@pytest.mark.parametrize(("seconds", "good"), [(1.2, True), (0.2, False)])
@pytest.mark.parametrize(
    ("tells_ends", "status"), [(False, 0), (True, SIGKILL)], ids=["not told", "SIGKILL"]
)
def test_workers_that_recycle_themselves_where_it_does_not_show_that_they_end_well(
    tells_ends: bool, status: int, seconds: float, good: bool
) -> None:
    """The old ones do the same: what is usual here is no crash. A quicker end is one."""
    history = History(soak=8.0)
    history.system.tells_ends = tells_ends
    recycle(history, 1.2, 10, lambda: history.old, status)
    history.system.advance_to(history.system.now + 12)
    history.run(Phase.SOAKING)
    recycle(history, seconds, 6, lambda: history.new, status)
    assert history.run().succeeded is good


def test_a_worker_that_ended_is_judged_when_its_master_has_waited_for_it() -> None:
    """Before, the kernel does not tell how it ended."""
    history = History(soak=3.0)
    history.run(Phase.SOAKING)
    worker = history.unicorn.workers(history.new)[0]
    history.system.zombies.add(worker.pid)
    worker.alive = False
    live(history, 0.5)
    history.system.end(worker)
    history.unicorn.fork_worker(history.new, 0.1)
    assert history.run().succeeded


def test_new_workers_that_are_dropped_in_the_soak() -> None:
    """Fewer workers by TTOU, just when the release is ready, are no crash loop."""
    history = History(soak=20.0)
    history.unicorn.worker_count = 5
    history.run(Phase.SOAKING)
    for _ in range(4):
        history.new.obey(SIGTTOU)
    assert history.run().succeeded


def test_deaths_at_boot_are_not_counted_in_the_soak() -> None:
    """Two workers that died at boot, and one long after, are not a crash loop."""
    history = History(soak=1000.0)
    history.run(Phase.BOOTING)
    for _ in range(2):
        while not history.unicorn.numbered(history.new):
            live(history, 0.05)
        live(history, 0.1)
        crash(history, history.unicorn.workers(history.new)[0])
        live(history, 0.1)
    history.run(Phase.SOAKING)
    live(history, 10)
    crash(history, history.unicorn.workers(history.new)[0])
    live(history, 0.1)
    crash(history, history.unicorn.workers(history.new)[-1])
    live(history, 2)
    assert history.handover and history.handover.record.phase is Phase.SOAKING
