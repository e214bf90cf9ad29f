"""`circusctl restart` as a zero-downtime handover: the Circus side of unicorn-handover.

One entry is all: `[plugin:unicorn] use = circus_unicorn.UnicornPlugin`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["UnicornPlugin"]


def __getattr__(name: str) -> Any:
    """Give `UnicornPlugin` and, if it is circusd that asks, bring the host side in.

    A plugin is a process of its own, but circusd looks its class up first, whenever it reads a
    section that uses it (circus/plugins, `get_plugin_cmd`). So the host side is there before the
    first program starts, however long the plugin's process takes, and if it never starts.
    """
    if name != "UnicornPlugin":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .enter import enter_circusd
    from .plugin import UnicornPlugin

    enter_circusd()
    return UnicornPlugin
