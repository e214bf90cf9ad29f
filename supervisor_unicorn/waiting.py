"""Whether a plain `restart` waits, for tools that cannot say `--wait`."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.datatypes import boolean

from unicorn_handover.errors import Refused, printable

VARIABLE = "SUPERVISOR_UNICORN_WAIT"


def waits(section: str, config: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """True if the environment or else the plugin's section says so.

    Raises Refused, with one line, for what neither can mean: a typing error must not make a tool
    believe in a release whose outcome it did not await.
    """
    for key in config:
        if key != "wait":
            raise Refused(f"[{section}] {printable(key, 60)}: unknown option; the option is wait")
    configured = _read(f"[{section}] wait", config.get("wait", "false"))
    value = environment.get(VARIABLE, "").strip()
    return _read(VARIABLE, value) if value else configured


def _read(where: str, value: str) -> bool:
    try:
        return bool(boolean(value))
    except ValueError:
        raise Refused(
            f"{where}: must be true or false, not {printable(value, 80)!r}; true makes every "
            "restart wait"
        ) from None
