"""The driver as a process of its own, for any host."""

from __future__ import annotations

import subprocess
import sys


def test_without_a_host() -> None:
    """It says in one line what it lacks: a host starts it, with a socket."""
    words = [sys.executable, "-m", "unicorn_handover.driver"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is started by a host" in done.stderr
