"""What a watcher's process is started by: attributes of watchers, and keys of a section."""

from __future__ import annotations

import copy
import os
from typing import Any

from circus.watcher import Watcher

# What a re-exec keeps.
RENEWED = ("cmd", "args", "working_dir", "shell", "uid", "gid", "env", "rlimits", "executable")
KEYS = {*RENEWED, "copy_env", "copy_path", "virtualenv", "virtualenv_py_ver"}  # that make them

Settings = dict[str, Any]  # by the names in RENEWED
NAMES = {**dict.fromkeys(RENEWED, (str, type(None))), "shell": (bool, int, str, type(None))}
KINDS = {
    **NAMES,
    "args": (str, list, type(None)),
    "uid": (str, int, type(None)),
    "gid": (str, int, type(None)),
    "env": (dict, type(None)),
    "rlimits": (dict, type(None)),
}


def settings_of(watcher: Watcher) -> Settings:
    """What a process of the watcher is started by now."""
    return {name: copy.copy(getattr(watcher, name)) for name in RENEWED}


def bring_into_force(watcher: Watcher, settings: Settings) -> None:
    """Let the watcher's next process be started by these."""
    for name, value in settings.items():
        setattr(watcher, name, copy.copy(value))


def differing(one: Settings, other: Settings) -> list[str]:
    """The names of the settings in which two differ."""
    return [name for name in RENEWED if one[name] != other[name]]


def to_json(watcher: Watcher, settings: Settings) -> Settings:
    """Return settings as what `json.dumps` takes.

    Of the environment that is what circusd's own does not give: the next circusd has another one.
    """
    env = settings["env"]
    if watcher.copy_env and env:
        env = {name: value for name, value in env.items() if os.environ.get(name) != value}
    args = settings["args"]
    plain = list(args) if isinstance(args, (list, tuple)) else args
    return {**settings, "env": env, "args": plain}


def from_json(watcher: Watcher, plain: Any) -> Settings:
    """Read what `to_json` gave. Raises KeyError, TypeError or ValueError for nonsense.

    Settings that are the watcher's own are given as it has them, with circusd's environment.
    """
    then = {name: plain[name] for name in RENEWED}
    wrong = [name for name, value in then.items() if not isinstance(value, KINDS[name])]
    if wrong:
        raise TypeError(f"{', '.join(wrong)} cannot be so")
    now = settings_of(watcher)
    same = to_json(watcher, now)
    whole = {**os.environ, **(then["env"] or {})} if watcher.copy_env else then["env"]
    return {
        name: now[name] if then[name] == same[name] else (whole if name == "env" else then[name])
        for name in RENEWED
    }


def section_to_json(section: dict[str, Any]) -> dict[str, Any]:
    """What a section says of these settings, as what `json.dumps` takes."""
    return {key: value for key, value in section.items() if key in KEYS}


def section_with(section: dict[str, Any], then: Any) -> dict[str, Any]:
    """A section that says of these settings what another one said. Raises TypeError."""
    if not isinstance(then, dict):
        raise TypeError("it is no section")
    others = {key: value for key, value in section.items() if key not in KEYS}
    return {**others, **section_to_json(then)}
