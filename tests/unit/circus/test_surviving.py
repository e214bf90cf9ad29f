"""What an earlier circusd has left is one watcher's alone."""

from __future__ import annotations

from unittest.mock import Mock

from circus_unicorn.host import CircusSide
from circus_unicorn.watcher import ManagedWatcher
from unicorn_handover.host.notes import Note
from unicorn_handover.host.survival import Survivor
from unicorn_handover.kernel.system import System
from unicorn_handover.model.record import MasterId


def test_a_survivor_is_known_before_it_is_started() -> None:
    """Circus starts the watchers after it has loaded them all: no other one takes it meanwhile."""
    host = CircusSide(System())
    host.circusd.arbiter = Mock(watchers=[])
    watcher = ManagedWatcher("web", "true")
    host.watchers["web"] = watcher
    assert 42 not in host.known_pids()
    watcher._survivor = Survivor(Note("web"), MasterId(42, 1), 42)
    assert 42 in host.known_pids()
