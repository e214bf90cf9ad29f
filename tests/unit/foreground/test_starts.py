"""How the running master was started, and what the next runner makes of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foreground_unicorn.starts import Starts
from unicorn_handover.host.notes import Note
from unicorn_handover.host.survival import Survivor

from ..fake_host import FakeHost

OLD, NEW = ("unicorn", "-c", "old.rb"), ("unicorn", "-c", "new.rb")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    """A host in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    return FakeHost()


def starts(host: FakeHost, words: tuple[str, ...]) -> Starts:
    """Those of a runner with this command."""
    return Starts(host.web, words, lambda: None)


def left(own: Any, was_beside: bool = False) -> Survivor:
    """A program of which an earlier runner has remembered this."""
    return Survivor(Note("web", own=own), None, 0, was_beside)


def remembered(host: FakeHost) -> dict[str, Any]:
    """What a runner of the old command remembers that has started one by the new beside it."""
    given, beside = starts(host, OLD).remembered(), starts(host, NEW).remembered()
    return {"given": given["given"], "beside": beside["given"]}


@pytest.mark.parametrize(
    ("group", "difference"), [(10, ""), (4, "the runner's command changed")], ids=["spawn", "usr2"]
)
def test_a_successor(host: FakeHost, group: int, difference: str) -> None:
    """One that leads a group was started beside the old one; another is what the old one was."""
    runner = starts(host, NEW)
    runner.restore(left(remembered(host)))
    assert runner.difference() == "the runner's command changed"
    assert (runner.command_in_force().words, runner.command().words) == (OLD, NEW)
    runner.adopted(SimpleNamespace(pid=10, group=group))  # type: ignore[arg-type]
    assert runner.difference() == difference


def test_one_that_was_beside(host: FakeHost) -> None:
    """It took the old one's place while no runner was there."""
    runner = starts(host, NEW)
    runner.restore(left(remembered(host), was_beside=True))
    assert runner.difference() == ""


@pytest.mark.parametrize("own", [{}, {"beside": 7}, {"beside": {"command": 7}}, {"beside": []}])
def test_nonsense(host: FakeHost, own: dict[str, Any]) -> None:
    """It is nothing, and raises nothing."""
    runner = starts(host, NEW)
    runner.restore(left(own))
    assert runner.difference() == ""
