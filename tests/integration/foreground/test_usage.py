"""Mistakes on the command line: one line on standard error, and the exit status."""

from __future__ import annotations

import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from unicorn_handover.model.options import Options

from ...kit.foreground_host import COMMAND


def run(folder: Path, *words: str) -> tuple[int, str]:
    """Run the command; return its exit status and its one line on standard error."""
    done = subprocess.run([COMMAND, *words], cwd=folder, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert line.startswith("unicorn-handover: ")
    assert not done.stdout
    return done.returncode, line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "needs the command after --"),
        (["run", "--"], "needs the command after --"),
        (["run", "unicorn"], "unrecognized arguments: unicorn"),
        (["run", "--boot-timeout", "1m", "--", "true"], "--boot-timeout: must be a number"),
        (["run", "--boot", "60", "--", "true"], "unrecognized arguments: --boot 60"),
        (["run", "--check", "https://x/", "--", "true"], "--check: must be an address"),
        (["restart", "--", "web"], "restart takes no command"),
        (["fly"], "invalid choice: 'fly'"),
        ([], "required: COMMAND"),
    ],
)
def test_bad_options(tmp_path: Path, words: list[str], told: str) -> None:
    """Each names what is wrong; nothing is started."""
    status, line = run(tmp_path, *words)
    assert status == 2
    assert told in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "status", "why"),
    [
        ("./no-such-thing", 127, "No such file or directory"),
        ("/etc/passwd", 126, "Permission denied"),
    ],
)
def test_a_command_that_cannot_run(tmp_path: Path, command: str, status: int, why: str) -> None:
    """The exit status is a shell's, and nothing is left."""
    assert run(tmp_path, "run", "--", command) == (
        status,
        f"unicorn-handover: cannot run {command}: {why}",
    )
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_had(tmp_path: Path) -> None:
    """A control socket where nothing can be made, or where something else is."""
    status, line = run(tmp_path, "run", "--control", "no/such/place", "--", "true")
    assert (status, "name another place by --control" in line) == (1, True)
    (tmp_path / "file").write_text("mine")
    status, line = run(tmp_path, "run", "--control", "file", "--", "true")
    assert (status, "something else is there" in line) == (1, True)
    assert (tmp_path / "file").read_text() == "mine"


def test_no_runner(tmp_path: Path) -> None:
    """A command without a runner says where it looked."""
    status, line = run(tmp_path, "restart", "--wait")
    assert (status, "no runner answers at unicorn-handover.sock" in line) == (1, True)


def test_every_option_is_there() -> None:
    """The command line has each option that the other hosts have."""
    told = subprocess.run([COMMAND, "run", "--help"], capture_output=True, text=True).stdout
    for option in fields(Options):
        assert f"--{option.name.replace('_', '-')}" in told
