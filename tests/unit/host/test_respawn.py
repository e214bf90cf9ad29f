"""When a child of the host that has ended is started again."""

from __future__ import annotations

from unicorn_handover.host.respawn import LONGEST, STABLE, Respawn

from ..fake_host import FakeHost


def test_a_crash_loop() -> None:
    """At once for a child that lived, then after doubled pauses up to the longest."""
    host, starts = FakeHost(), list[float]()

    def start() -> None:
        starts.append(host.kernel.now)
        respawn.started()

    respawn = Respawn(host, start)
    respawn.started()
    host.wait(STABLE)
    ended = host.kernel.now
    for pause in (0, 1, 2, 4, 8, 16, 32, LONGEST, LONGEST):
        respawn.later("it ended")
        host.wait(pause)
        assert starts[-1] == host.kernel.now
        assert host.lines[-1] == f"it ended; it is started again in {pause} s".replace(".0 ", " ")
    assert len(starts) == 9
    assert host.kernel.now == ended + 183
    host.wait(STABLE)
    respawn.later("it ended")
    assert host.lines[-1].endswith("in 0 s")


def test_an_earlier_start() -> None:
    """One that was asked for meanwhile takes the place of the one that was due."""
    host, starts = FakeHost(), list[float]()
    respawn = Respawn(host, lambda: starts.append(host.kernel.now))
    respawn.started()
    respawn.later("it ended")
    respawn.started()
    host.wait(STABLE)
    assert not starts
