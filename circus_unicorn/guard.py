"""Calls from Circus's own code into ours: an error stays here, and circusd goes on."""

from __future__ import annotations

from typing import Any

from circus import logger

from unicorn_handover.errors import raised


def guarded(name: str, act: Any, *arguments: Any) -> Any:
    """Call something for a watcher or a plugin; None, and a line in circusd's log, if it raises."""
    try:
        return act(*arguments)
    except Exception as error:
        what = getattr(act, "__name__", act)
        logger.error(f"{name}: {what} failed: {raised(error)}")
        return None
