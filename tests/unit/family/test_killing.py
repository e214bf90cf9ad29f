"""Who is killed of those that a dead new master has left."""

from __future__ import annotations

from signal import SIGTERM, SIGUSR1
from types import SimpleNamespace

import pytest

from unicorn_handover.family.killing import end_deserted, kill_booting, signal_all

from ..fake_system import FakeSystem


def test_nobody_is_left_stopped() -> None:
    """One that boots is killed; one that is ready, or cannot be looked into, goes on."""
    system = FakeSystem()
    boots, ready, hidden = (system.add(ppid=1, forked=True, words=["x"]).pid for _ in range(3))

    def is_booting(system: FakeSystem, pid: int) -> bool:
        if pid == hidden:
            raise PermissionError(f"cannot inspect pid {pid}")
        return pid == boots

    workers = [system.hold(pid) for pid in (hidden, boots, ready)]
    kill_booting(system, workers, SimpleNamespace(is_booting=is_booting))  # type: ignore[arg-type]
    stopped = [("STOP", pid) for pid in (hidden, boots, ready)]
    assert system.signals == [*stopped, ("CONT", hidden), ("KILL", boots), ("CONT", ready)]
    assert system.stopped <= {boots} and system.open_handles == 0


def test_what_would_serve_on_for_a_dead_master() -> None:
    """Its workers are told to end; not another master's, an older one, or what is no worker."""
    system = FakeSystem()
    master = system.add(ppid=1, forked=False, words=["gunicorn"])
    master.pgrp = master.pid
    worker = {
        "forked": True,
        "words": ["gunicorn"],
        "pgrp": master.pid,
        "heartbeats": {1: (5.0, 1)},
    }
    handlers = {SIGTERM, SIGUSR1}
    system.add(ppid=1, catches=handlers, **worker)
    since = system.add(ppid=master.pid, catches=handlers, **worker).start + 1
    system.advance_to(system.now + 1)
    left = system.add(ppid=1, catches=handlers, **worker)
    system.add(ppid=1, catches={SIGTERM}, **worker)
    assert left.start >= since
    end_deserted(system, master.pid, since)  # type: ignore[arg-type]
    assert system.signals == [("TERM", left.pid)] and system.open_handles == 0


def test_one_that_may_not_be_signalled() -> None:
    """The others are, and none is left stopped or held; only then the caller is told."""
    system = FakeSystem()
    fakes = [system.add(ppid=1, forked=True, words=["x"]) for _ in range(3)]
    first, other, last = (fake.pid for fake in fakes)
    system.others.add(other)
    with pytest.raises(PermissionError, match=f"pid {other}"):
        signal_all([system.hold(fake.pid) for fake in fakes], SIGTERM)  # type: ignore[misc]
    assert system.signals == [("TERM", first), ("TERM", last)] and system.open_handles == 0
    system.signals.clear()
    server = SimpleNamespace(is_booting=lambda *_: False)
    kill_booting(system, [system.hold(fake.pid) for fake in fakes], server)  # type: ignore[arg-type, misc]
    assert [name for name, _ in system.signals] == ["STOP", "STOP", "CONT", "CONT"]
    assert not system.stopped and system.open_handles == 0
