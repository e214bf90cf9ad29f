"""Detects a server that has gone into the background, where no host supervises it."""

from __future__ import annotations

from ..kernel.system import System
from ..servers import Launch, recognise


def went_away(system: System, launch: Launch) -> str:
    """Why a program's process may have ended at once, "" if it was started to stay."""
    server = recognise(launch.command)
    why = server.next_start.goes_away(system, launch) if server else ""
    return f"its process has ended, and {why}, and end the one that is there" if why else ""
