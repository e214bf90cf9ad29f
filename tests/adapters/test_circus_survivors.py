"""What circusd remembers of a managed watcher, inside a real arbiter."""

from __future__ import annotations

import os

import pytest

from unicorn_handover.host.notes import Note
from unicorn_handover.host.survival import Survival

from .circusd import Circusd, Make


def remembered(circusd: Circusd) -> Note:
    """What the next circusd would read of web."""
    notes = circusd.host.notes
    note = notes.read("web") if notes else None
    assert note
    return note


def test_a_master_is_remembered_before_it_executes(
    make_circusd: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself: a circusd that is killed right after the fork has no time for that."""
    monkeypatch.setattr(Survival, "note", lambda self: None)
    circusd = make_circusd()
    note = remembered(circusd)
    assert note.master == circusd.web.master and note.group == circusd.master
    assert note.own["started_by"]["cmd"] == circusd.web.cmd
    assert note.own["started_in"] == os.path.realpath(circusd.web.working_dir)


def test_a_stop_by_command_is_remembered(make_circusd: Make) -> None:
    """And no other: neither a program that ended by itself nor one that ends with circusd."""
    circusd = make_circusd()
    assert not remembered(circusd).stopped
    circusd.told(circusd.command("stop", name="web", waiting=True))
    assert remembered(circusd).stopped and remembered(circusd).master is None
    circusd.told(circusd.command("start", name="web", waiting=True))
    circusd.turn_until(lambda: circusd.is_there(circusd.master), "it is there again")
    assert not remembered(circusd).stopped and remembered(circusd).master


def test_only_one_process_on_its_own_sockets_is_remembered(make_circusd: Make) -> None:
    """Several would be taken for one, and Circus's sockets end with circusd."""
    circusd = make_circusd(web="numprocesses = 2")
    assert circusd.host.notes and circusd.host.notes.read("web") is None
