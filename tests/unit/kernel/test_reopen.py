"""The pipes of a process whose host has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.reopen import become_own_reader, pipe_of, reopen
from unicorn_handover.kernel.system import System

from ...waiting import wait_until

# Prints each line of its input, and what became of that.
ECHO = """
import os, sys
for line in sys.stdin:
    try:
        os.write(1, line.encode())
    except BrokenPipeError:
        os.write(2, b"no reader")
"""


class Child:
    """A process with three pipes, and the ends of its host."""

    def __init__(self) -> None:
        popen = subprocess.Popen(
            [sys.executable, "-c", ECHO],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert popen.stdin and popen.stdout and popen.stderr
        self.popen, self.stdin, self.stdout = popen, popen.stdin, popen.stdout
        self.stderr = popen.stderr
        held = System().hold(popen.pid)
        assert held
        self.held: Process = held

    def end(self) -> None:
        """Kill it, and close all."""
        self.popen.kill()
        self.popen.wait()
        self.held.close()
        for file in (self.stdin, self.stdout, self.stderr):
            file.close()


@pytest.fixture
def child() -> Iterator[Child]:
    """One that runs."""
    child = Child()
    yield child
    child.end()


def read_soon(descriptor: int) -> bytes:
    """Read what comes within some seconds."""
    os.set_blocking(descriptor, False)

    def read() -> bytes:
        try:
            return os.read(descriptor, 100)
        except BlockingIOError:
            return b""

    return wait_until(read, "there is something to read", 10)


def test_a_pipe_without_a_reader_is_whole_again(child: Child) -> None:
    """Until then a write fails, afterwards none does; the input can be written as well."""
    os.write(child.stdin.fileno(), b"")
    child.stdout.close()
    child.stdin.write(b"lost\n")
    child.stdin.flush()
    assert read_soon(child.stderr.fileno()) == b"no reader"
    out = reopen(child.held, 1, os.O_RDONLY)
    fed = reopen(child.held, 0, os.O_WRONLY)
    os.write(fed, b"heard\n")
    assert read_soon(out) == b"heard\n"
    assert not os.get_inheritable(out) and not os.get_blocking(fed)
    os.close(out)
    os.close(fed)


def test_what_is_no_pipe_or_gone(child: Child) -> None:
    """It is not named; a descriptor that is closed is an error."""
    assert pipe_of(child.popen.pid, 1).startswith("pipe:[")
    assert pipe_of(child.popen.pid, 1) != pipe_of(child.popen.pid, 0)
    assert pipe_of(child.popen.pid, 77) == "" == pipe_of(os.getppid(), 999)
    with open(os.devnull) as null:
        assert pipe_of(os.getpid(), null.fileno()) == ""
    with pytest.raises(OSError):
        reopen(child.held, 77, os.O_RDONLY)


def test_own_reader() -> None:
    """A program that reads its own output is never without a reader; it blocks nobody else."""
    words = [sys.executable, "-c", "import os, time; time.sleep(0.5); os.write(1, b'kept')"]
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    popen = subprocess.Popen(words, stdout=writer, preexec_fn=become_own_reader)
    os.close(writer)
    held = System().hold(popen.pid)
    assert held and pipe_of(popen.pid, 0) == pipe_of(popen.pid, 1)
    os.close(reader)
    again = reopen(held, 1, os.O_RDONLY)
    assert popen.wait() == 0
    assert read_soon(again) == b"kept"
    held.close()
    os.close(again)
    plain = subprocess.run(
        [sys.executable, "-c", "print(input())"],
        input=b"as ever\n",
        stdout=subprocess.DEVNULL,
        preexec_fn=become_own_reader,
    )
    assert plain.returncode == 0
