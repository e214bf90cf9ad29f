"""`supervisorctl restart` as a zero-downtime handover: the Supervisor side of unicorn-handover.

supervisord loads `make_rpcinterface`, supervisorctl `make_ctlplugin`, and `supervisor_unicorn` is
the event listener's command.
"""

from __future__ import annotations

from typing import Any

__all__ = ["make_ctlplugin", "make_rpcinterface"]


def __getattr__(name: str) -> Any:
    """Give a factory. Each is imported when it is asked for: the driver needs neither of them."""
    if name == "make_ctlplugin":
        from .ctlplugin import make_ctlplugin

        return make_ctlplugin
    if name == "make_rpcinterface":
        from .rpcinterface import make_rpcinterface

        return make_rpcinterface
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
