"""The settings in force of a watcher whose master another circusd has started."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest
from circus.watcher import Watcher

from circus_unicorn.in_force import InForce
from circus_unicorn.settings import settings_of, to_json

SECTION = {"name": "web", "cmd": "unicorn", "copy_env": True, "env": {"A": "1"}, "priority": 3}


def made(**section: Any) -> Watcher:
    """A watcher by a section, with nothing running."""
    watcher = Watcher.load_from_config({**SECTION, **section})
    watcher.process = None
    watcher.warn = lambda text: None
    return watcher


def remembered(watcher: Watcher) -> dict[str, Any]:
    """What the next circusd reads of a watcher whose process was started just now."""
    own: dict[str, Any] = json.loads(json.dumps(InForce(watcher).remembered(settings_of(watcher))))
    return own


def taken_over(watcher: Watcher, own: dict[str, Any]) -> InForce:
    """Let a watcher take over a master, of which this was remembered."""
    in_force = InForce(watcher)
    watcher.process = SimpleNamespace(started_by=in_force.keep(own))
    return in_force


def test_nothing_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where circusd has another environment by now."""
    own = remembered(made(args=["-c", "x"], uid=0))
    monkeypatch.setenv("ELSEWHERE", "1")
    watcher = made(args=["-c", "x"], uid=0)
    in_force = taken_over(watcher, own)
    assert in_force.difference() == "" and not in_force.has_newer
    assert watcher.env["ELSEWHERE"] == "1"


def test_what_was_changed_comes_by_a_handover() -> None:
    """Until then the watcher, and its section, are as they were, but for other keys."""
    own = remembered(made())
    watcher = made(cmd="unicorn -D", env={"A": "2"}, priority=4)
    section = watcher._cfg
    in_force = taken_over(watcher, own)
    assert watcher.cmd == "unicorn" and watcher.env == {**os.environ, "A": "1"}
    assert watcher._cfg == {**section, "cmd": "unicorn", "env": {"A": "1"}} != section
    assert in_force.difference() == "" and in_force.has_newer
    in_force.renew()
    assert in_force.difference() == "[watcher:web] cmd, env changed" and watcher._cfg == section
    in_force.set_back()
    assert watcher.cmd == "unicorn" and watcher._cfg != section and in_force.has_newer


def test_what_was_set_since_is_kept() -> None:
    """A handover brings what an operator has set, and the newer rest."""
    own = remembered(made())
    watcher = made(cmd="unicorn -D", env={"A": "2"})
    in_force = taken_over(watcher, own)
    watcher.cmd = "unicorn -E x"
    in_force.renew()
    assert watcher.cmd == "unicorn -E x" and watcher.env["A"] == "2"


def test_a_start_brings_what_is_configured() -> None:
    """After a stop there is nothing to go back to."""
    own = remembered(made())
    watcher = made(cmd="unicorn -D")
    in_force = taken_over(watcher, own)
    watcher.process = None
    in_force.renew_for_good()
    assert watcher.cmd == "unicorn -D" and not in_force.has_newer


@pytest.mark.parametrize(
    "nonsense",
    [{"cmd": 5}, {"args": {"a": 1}}, {"env": ["A"]}, {"uid": [0]}, {"rlimits": 3}],
    ids=lambda nonsense: next(iter(nonsense)),
)
def test_nonsense_is_an_error(nonsense: dict[str, Any]) -> None:
    """And changes nothing."""
    own = remembered(made())
    own["started_by"].update(nonsense)
    watcher = made(cmd="unicorn -D")
    with pytest.raises(TypeError):
        InForce(watcher).keep(own)
    assert watcher.cmd == "unicorn -D"


def test_no_settings_are_an_error() -> None:
    """Whatever stands in their place."""
    for own in ({}, {"started_by": None}, {"started_by": []}, {"started_by": {}}):
        with pytest.raises((KeyError, TypeError)):
            InForce(made()).keep(own)


def test_of_circusd_s_own_environment_nothing_is_remembered() -> None:
    """It may have secrets in it, and the next circusd has its own."""
    watcher = made()
    assert to_json(watcher, settings_of(watcher))["env"] == {"A": "1"}
