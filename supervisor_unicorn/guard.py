"""The wall between this plugin and supervisord's loop, which no error of ours may end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from unicorn_handover.errors import raised


def guarded(log: Any, act: Callable[..., Any], *arguments: Any) -> Any:
    """Call something of ours; an error is logged at level critical, and the result is None."""
    try:
        return act(*arguments)
    except Exception as error:
        name = getattr(act, "__qualname__", str(act))
        log.critical(f"supervisor_unicorn: {name} failed: {raised(error)}")
        return None


def guarded_callback(log: Any, act: Callable[..., Any]) -> Callable[..., Any]:
    """Return `act` as a function that can be handed to supervisord."""
    return functools.partial(guarded, log, act)
