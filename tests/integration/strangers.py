"""A process that is nobody's here, and is to be left alone."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from ..kit.processes import Found, living

# Says each signal that it gets.
STRANGER = """
import os, signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, lambda number, _: os.write(1, b"%d" % number))
os.write(1, b"ready\\n")
while True:
    time.sleep(60)
"""


@contextlib.contextmanager
def left_alone() -> Iterator[Found]:
    """Start one; it must live at the end of the block, and have got no signal."""
    words = [sys.executable, "-c", STRANGER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as stranger:
        assert stranger.stdout and stranger.stdout.readline() == b"ready\n"
        try:
            yield living(stranger.pid)
            assert stranger.poll() is None
        finally:
            stranger.kill()
        assert stranger.stdout.read() == b""
