"""A program's section as plain types: what a running master was started by."""

from __future__ import annotations

import copy
import os
from typing import Any

from supervisor.datatypes import (
    Automatic,
    RestartUnconditionally,
    RestartWhenExitUnexpected,
    Syslog,
)
from supervisor.options import ProcessConfig

CLASSES = {
    each.__name__: each
    for each in (Automatic, RestartUnconditionally, RestartWhenExitUnexpected, Syslog)
}
CLASS = "supervisor.datatypes"  # the only key of what stands for a class of Supervisor's
CHANNELS = ("stdout", "stderr")


def to_json(config: ProcessConfig) -> dict[str, Any]:
    """Return the values of a configuration as what `json.dumps` takes."""
    return {name: _plain(getattr(config, name)) for name in _names(config)}


def from_json(config: ProcessConfig, values: dict[str, Any]) -> ProcessConfig:
    """Return a copy of a configuration with these values, `config` itself if they are the same.

    A log whose name Supervisor chooses has another name after each start. Raises ValueError or
    TypeError for nonsense.
    """
    then = copy.copy(config)
    for name in _names(config):
        if name in values:
            setattr(then, name, _value(values[name]))
    if then.name != config.name:
        raise ValueError(f"it is the section of {then.name}")
    for channel in CHANNELS:
        if has_chosen_log(then, channel) and has_chosen_log(config, channel):
            setattr(then, f"{channel}_logfile", getattr(config, f"{channel}_logfile"))
    return config if then == config else then


def has_chosen_log(config: ProcessConfig, channel: str) -> bool:
    """True if Supervisor has chosen the name of a log (`logfile = AUTO`)."""
    name = os.path.basename(str(getattr(config, f"{channel}_logfile")))
    return name.startswith(f"{config.name}-{channel}---{config.options.identifier}-")


def _names(config: Any) -> list[str]:
    return [*config.req_param_names, *config.optional_param_names]


def _plain(value: Any) -> Any:
    if isinstance(value, type):
        return {CLASS: value.__name__}
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _value(plain: Any) -> Any:
    if isinstance(plain, dict) and CLASS in plain:
        return CLASSES[plain[CLASS]]
    return plain
