"""The loop of a host that has none of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from unicorn_handover.host.selector_loop import SelectorLoop


@pytest.fixture
def failed() -> list[str]:
    """The lines about calls that raised."""
    return []


@pytest.fixture
def loop(failed: list[str]) -> SelectorLoop:
    """A loop on the real clock."""
    return SelectorLoop(time.monotonic, failed.append)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe with a byte in it."""
    reader, writer = os.pipe()
    os.write(writer, b"x")
    yield reader, writer
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_timers(loop: SelectorLoop) -> None:
    """They ring in their order, once, unless they are cancelled."""
    rung: list[str] = []
    loop.after(0.02, lambda: rung.append("late"))
    cancel = loop.after(0.01, lambda: rung.append("never"))
    loop.after(0, lambda: rung.append("soon"))
    cancel()
    while "late" not in rung:
        loop.turn()
    assert rung == ["soon", "late"]


def test_a_timer_is_set_by_another(loop: SelectorLoop) -> None:
    """It rings in a later turn: a timer that sets itself again does not hold the loop up."""
    rung: list[int] = []

    def ring() -> None:
        rung.append(1)
        loop.after(0, ring)

    ring()
    loop.turn()
    assert len(rung) == 2


def test_what_is_unwatched_in_the_same_turn(loop: SelectorLoop, pipe: tuple[int, int]) -> None:
    """Is not called, though it was ready, nor is what has got its number since."""
    other, writer = os.pipe()
    os.write(writer, b"x")
    called: list[int] = []

    def first(mine: int, its: int) -> None:
        called.append(mine)
        loop.unwatch(its)
        loop.watch(its, lambda: called.append(-1))

    loop.watch(pipe[0], lambda: first(pipe[0], other))
    loop.watch(other, lambda: first(other, pipe[0]))
    loop.turn()
    assert len(called) == 1
    assert -1 not in called
    for descriptor in (other, writer):
        os.close(descriptor)


def test_when_writable(loop: SelectorLoop, pipe: tuple[int, int]) -> None:
    """It is called once."""
    calls: list[str] = []
    loop.watch(pipe[1], lambda: None)
    loop.when_writable(pipe[1], lambda: calls.append("w"))
    loop.after(0, lambda: None)
    loop.turn()
    loop.after(0, lambda: None)
    loop.turn()
    assert calls == ["w"]


def test_a_call_that_raises(loop: SelectorLoop, failed: list[str], pipe: tuple[int, int]) -> None:
    """It is told of, and the loop goes on."""
    calls: list[str] = []
    loop.watch(pipe[0], lambda: {}["no"])
    loop.after(0, lambda: calls.append("timer"))
    loop.turn()
    assert calls == ["timer"]
    assert "KeyError" in failed[0]


def test_signals(loop: SelectorLoop) -> None:
    """Each is a call of the loop, with its number."""
    numbers: list[int] = []
    before = signal.getsignal(signal.SIGUSR1)
    try:
        loop.on_signals([signal.SIGUSR1], numbers.append)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not numbers
        loop.turn()
        assert numbers == [signal.SIGUSR1]
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
