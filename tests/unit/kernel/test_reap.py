"""The ends of this process's own children."""

from __future__ import annotations

import os
import signal

import pytest

from unicorn_handover.kernel.reap import how_ended, reaped
from unicorn_handover.kernel.spawn import spawn

from ...waiting import wait_until


def test_all_that_are_dead() -> None:
    """Each is told once, with its status; one that lives is not waited for."""
    alive = spawn(["sleep", "60"])
    ended = {spawn(["sh", "-c", f"exit {code}"]): code << 8 for code in (0, 3)}
    found: list[tuple[int, int]] = []

    def reap() -> list[tuple[int, int]]:
        found.extend(reaped())
        return sorted(found)

    wait_until(lambda: reap() == sorted(ended.items()), "both are reaped")
    os.kill(alive, signal.SIGKILL)
    ended[alive] = signal.SIGKILL
    wait_until(lambda: reap() == sorted(ended.items()), "the killed one is reaped")
    assert list(reaped()) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(3 << 8, "with exit status 3"), (9, "by SIGKILL"), (11 | 0x80, "by SIGSEGV"), (40, "by 40")],
)
def test_in_words(status: int, words: str) -> None:
    """An exit status, or the name of a signal if it has one; 0x80 marks a core dump."""
    assert how_ended(status) == words
