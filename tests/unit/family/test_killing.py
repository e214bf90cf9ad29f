"""Who is killed of those that a dead new master has left."""

from __future__ import annotations

from types import SimpleNamespace

from unicorn_handover.family.killing import kill_booting

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
