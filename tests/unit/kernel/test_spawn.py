"""How a child is started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unicorn_handover.kernel.spawn import CannotRun, spawn


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


def test_descriptors_in_each_other_s_way(tmp_path: Path) -> None:
    """Each arrives where it is wanted, though another one has that number here."""
    files = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("a", "b")]
    a, b = files
    script = f"import os; os.write({b}, b'a'); os.write({a}, b'b')"
    os.waitpid(spawn([sys.executable, "-c", script], {b: a, a: b}), 0)
    for descriptor in files:
        os.close(descriptor)
    assert (tmp_path / "a").read_text() == "a"
    assert (tmp_path / "b").read_text() == "b"


def test_directory_and_environment(tmp_path: Path) -> None:
    """The child has its own; this process stays where it is."""
    here = os.getcwd()
    script = "pwd -P >out; echo $GREETING >>out"
    pid = spawn(["/bin/sh", "-c", script], None, {"GREETING": "hello"}, str(tmp_path))
    os.waitpid(pid, 0)
    assert (tmp_path / "out").read_text().split() == [str(tmp_path.resolve()), "hello"]
    assert os.getcwd() == here
    with pytest.raises(CannotRun, match="cannot run sh: .*/no: No such file"):
        spawn(["sh"], directory=str(tmp_path / "no"))
    assert os.getcwd() == here


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
