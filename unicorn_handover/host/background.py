"""Detects a server that has gone into the background, where no host supervises it."""

from __future__ import annotations

from ..kernel.system import System
from ..servers import Launch, recognise


def went_away(system: System, launch: Launch) -> str:
    """Why a program's process may have ended at once, "" if it was started to stay."""
    server = recognise(launch.command)
    if server is None or not server.next_start.goes_away(system, launch):
        return ""
    return (
        f"its process has ended, and neither [{launch.section}] nor the configuration of "
        f"{server.name} says `daemon off;`, without which it goes into the background; write that, "
        "and end the one that is there"
    )
