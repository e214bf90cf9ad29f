"""A forked child executes nothing of which its parent's successor would not know."""

from __future__ import annotations

import os
import subprocess
import sys

from unicorn_handover.kernel.gate import Gate

# Forks a child that waits, prints its pid, and is killed before it opens the gate.
KILLED = """
import os, signal
from unicorn_handover.kernel.gate import Gate
gate = Gate()
child = os.fork()
if child == 0:
    gate.wait()
    print("executed", flush=True)
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_child_waits_for_the_gate() -> None:
    """What it does then comes after what its parent did before."""
    gate = Gate()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        gate.wait()
        os.write(writer, b"child")
        os._exit(0)
    os.write(writer, b"parent ")
    gate.open()
    gate.open()
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"parent child"
    os.close(reader)
    os.close(writer)


def test_a_parent_that_dies_takes_the_child_along() -> None:
    """Nothing was executed."""
    done = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE)
    assert done.returncode == -9 and done.stdout == b""


def test_a_child_that_has_ended() -> None:
    """Its parent goes on."""
    gate = Gate()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    gate.open()


def test_who_made_it_does_not_wait() -> None:
    """It would wait for itself."""
    gate = Gate()
    gate.wait()
    gate.open()
