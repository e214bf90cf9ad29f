"""Masters and their children on a made-up kernel."""

from __future__ import annotations

from unicorn_handover.servers import SERVERS

from .fake_process import Fake
from .fake_system import FakeSystem

UNICORN, GUNICORN = SERVERS["unicorn"], SERVERS["gunicorn"]


def add(system: FakeSystem, words: str = "x y", forked: bool = False, **fields: object) -> Fake:
    """One process, whose parent is pid 50."""
    fields.setdefault("environ", {"PATH": "/bin"})
    return system.add(ppid=50, forked=forked, words=words.split("|"), **fields)
