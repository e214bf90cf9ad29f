"""What a runner gives a master at its start."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from foreground_unicorn.start import Start
from unicorn_handover.kernel.system import System

WORDS = ("unicorn", "-c", "u.rb")


def test_nothing_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a round through a file nor by what a shell or systemd sets at each start."""
    before = Start.from_json(
        json.loads(json.dumps(vars(Start.now(System(), WORDS, str(tmp_path)))))
    )
    for name in ("SHLVL", "_", "INVOCATION_ID", "JOURNAL_STREAM"):
        monkeypatch.setenv(name, "7")
    assert Start.now(System(), WORDS, str(tmp_path)).difference(before) == ""


def test_what_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named; of the environment nothing but a digest is kept."""
    before = Start.now(System(), WORDS, str(tmp_path))
    monkeypatch.setenv("SECRET", "hunter2")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        now = Start.now(System(), (*WORDS, "-D"), str(tmp_path / "x"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert now.difference(before) == (
        "the runner's command, directory, environment, limits changed"
    )
    assert "hunter2" not in json.dumps(vars(now))


def test_a_link_that_moved(tmp_path: Path) -> None:
    """The directory's name is the same, and leads elsewhere: that is for the pre-flight checks."""
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
    link = tmp_path / "current"
    link.symlink_to("1")
    before = Start.now(System(), WORDS, str(link))
    link.unlink()
    link.symlink_to("2")
    now = before.again(System())
    assert (before.started_in, now.started_in) == (str(tmp_path / "1"), str(tmp_path / "2"))
    assert now.difference(before) == ""


@pytest.mark.parametrize("nonsense", [{}, [], None, {"command": 1}])
def test_nonsense(nonsense: object) -> None:
    """Of another version's note, or of nobody's."""
    with pytest.raises((KeyError, TypeError)):
        Start.from_json(nonsense)
