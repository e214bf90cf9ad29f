"""What holds for all tests."""

from __future__ import annotations

import compileall
import signal
import sys
from pathlib import Path

import pytest

# An environment may forbid to write byte code (PYTHONDONTWRITEBYTECODE). Then each of the
# thousands of commands that the tests start would compile every module that it imports, and each
# worker of pytest-xdist every test.
sys.dont_write_bytecode = False

PACKAGES = ("unicorn_handover", "supervisor_unicorn", "circus_unicorn", "foreground_unicorn")


def pytest_configure(config: pytest.Config) -> None:
    """Have all that the tests start begin alike, however the tests were started."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's `&` ignores it: sh(1)
    if not hasattr(config, "workerinput"):  # of pytest-xdist
        for package in PACKAGES:  # as pip does
            compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)
