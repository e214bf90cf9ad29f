"""How a child is started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from unicorn_handover.kernel.spawn import LONGEST, STABLE, Backoff, CannotRun, spawn


@pytest.fixture
def blocked() -> Iterator[None]:
    """SIGTERM is blocked, as a host may have it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def output(words: list[str]) -> str:
    """What a child writes to its descriptor 3."""
    reader, writer = os.pipe()
    pid = spawn(words, {3: writer})
    os.close(writer)
    with open(reader) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


def test_a_group_of_its_own() -> None:
    """The child leads its group, has an empty input and what it was given."""
    script = "echo $$; cut -d' ' -f5 /proc/$$/stat; cat"
    pid, group = output(["sh", "-c", f"({script}) >&3"]).split()
    assert pid == group


def test_no_signal_is_blocked_or_ignored(blocked: None) -> None:
    """Whatever its parent has: Python ignores SIGPIPE."""
    told = output(["sh", "-c", "grep -E 'SigBlk|SigIgn' /proc/self/status >&3"])
    masks = [int(line.split()[1], 16) for line in told.splitlines()]
    assert not masks[0]
    assert not masks[1] >> (signal.SIGPIPE - 1) & 1


@pytest.mark.parametrize(("command", "status"), [("no-such-command", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_run(command: str, status: int) -> None:
    """Is told at once, with the exit status of a shell."""
    with pytest.raises(CannotRun) as caught:
        spawn([command])
    assert caught.value.status == status
    assert command in str(caught.value)


def test_backoff() -> None:
    """Nothing for a child that lived, then doubled up to the longest pause."""
    backoff = Backoff()
    assert backoff.after(STABLE) == 0
    assert [backoff.after(0.1) for _ in range(8)] == [1, 2, 4, 8, 16, 32, LONGEST, LONGEST]
    assert backoff.after(STABLE) == 0
    assert backoff.after(0.1) == 1
