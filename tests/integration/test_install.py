"""The commands where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .programs import BIN

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "host", "words"),
    [
        ("supervisor_unicorn", "Supervisor", ["--echo-conf", "web"]),
        ("supervisor_unicorn", "Supervisor", []),
        ("circus_unicorn", "Circus", ["status"]),
    ],
)
def test_a_python_without_the_host_is_told_in_one_line(
    command: str, host: str, words: list[str]
) -> None:
    """A command in a Python that lacks its host fails with one line that says what to install."""
    done = subprocess.run(
        [sys.executable, "-S", f"{BIN}/{command}", *words],  # -S: without site-packages
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{command}: {sys.executable} has no {host}; install")
    assert f"'unicorn-handover[{host.lower()}]'" in line
