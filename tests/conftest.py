"""What holds for all tests."""

from __future__ import annotations

import compileall
from pathlib import Path

import pytest

PACKAGES = ("unicorn_handover", "supervisor_unicorn", "circus_unicorn", "foreground_unicorn")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the packages once, as pip does.

    An environment may forbid to write byte code (PYTHONDONTWRITEBYTECODE). Then each of the
    thousands of commands that the tests start would compile every module that it imports.
    """
    if not hasattr(config, "workerinput"):  # of pytest-xdist
        for package in PACKAGES:
            compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)
