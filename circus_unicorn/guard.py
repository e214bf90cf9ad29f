"""Calls from Circus's own code into ours: an error stays here, and circusd goes on."""

from __future__ import annotations

from typing import Any

from circus import logger

from unicorn_handover.errors import printable


def guarded(name: str, act: Any, *arguments: Any) -> Any:
    """Call something for a watcher or a plugin; None, and a line in circusd's log, if it raises."""
    try:
        return act(*arguments)
    except Exception as error:
        what = getattr(act, "__name__", act)
        logger.error(f"{name}: {what} failed: {what_was_raised(error)}")
        return None


def what_was_raised(error: Exception) -> str:
    """An unexpected error in one line, for the log or a caller."""
    return f"{type(error).__name__}: {printable(str(error))}"
