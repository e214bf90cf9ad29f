"""An update that hands changed programs over instead of stopping and starting them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from supervisor.datatypes import Automatic
from supervisor.options import ProcessConfig, ProcessGroupConfig
from supervisor.process import ProcessGroup
from supervisor.supervisord import Supervisor

from unicorn_handover.errors import Refused

from .host import SupervisorSide
from .process import ManagedSubprocess
from .restart import is_running, refusal
from .section import CHANNELS, has_chosen_log


@dataclass(frozen=True)
class Change:
    """One program's new configuration, which comes into force when its next master takes over."""

    process: ManagedSubprocess
    config: ProcessConfig


class Stock(Exception):
    """A group is for Supervisor to stop, remove and add again.

    Its text is why, "" if no managed program of it runs, so that nothing could be handed over.
    """


def update(supervisord: Supervisor, side: SupervisorSide, name: str) -> dict[str, int]:
    """Begin the handovers of a group's changed programs; return their numbers by namespec.

    Raises Stock if the group has other programs by now, or one that changed is not managed or does
    not run; Refused if a handover cannot begin: nothing has changed then. `reloadConfig` has read
    the configuration before.
    """
    group = supervisord.process_groups.get(name)
    configs = supervisord.options.process_group_configs
    new = next((config for config in configs if config.name == name), None)
    try:
        changes = _changes(group, new)
    except Stock as why:
        raise Stock(str(why) if _could_be_handed_over(group) else "") from None
    for change in changes:
        why_not = refusal(side, change.process, change.config) or _no_way(change.process)
        if why_not:
            raise Refused(why_not)
    if not changes:  # the group's own priority
        group.config = new
    return {change.process.program.name: _begin(side, change) for change in changes}


def _could_be_handed_over(group: Any) -> bool:
    processes = group.processes.values() if group else ()
    return any(isinstance(each, ManagedSubprocess) and is_running(each) for each in processes)


def _changes(group: Any, new: Any) -> list[Change]:
    """The changes of a group that stays as it is. Raises Stock if it does not."""
    if type(new) is not ProcessGroupConfig or type(group) is not ProcessGroup:
        raise Stock("it is a group of another kind")
    others = {config.name for config in new.process_configs} ^ set(group.processes)
    if others:
        raise Stock(f"programs added or removed: {', '.join(sorted(others))}")
    changes = []
    for config in new.process_configs:
        process = group.processes[config.name]
        if process.config == config:
            continue
        if not isinstance(process, ManagedSubprocess):
            raise Stock(f"{config.name} was changed too and is not managed")
        if not is_running(process):
            raise Stock(f"{config.name} was changed too and does not run")
        changes.append(Change(process, config))
    return changes


def _no_way(process: ManagedSubprocess) -> str:
    if process.program.options.method != "usr2":
        return ""
    return (
        "[rpcinterface:unicorn] method: usr2 cannot give a changed section; set method = auto, or "
        "stop, remove, add and start the program"
    )


def _begin(side: SupervisorSide, change: Change) -> int:
    process, config = change.process, copy.copy(change.config)
    for channel in CHANNELS:
        _keep_log(process.config, config, channel)
    config.create_autochildlogs()
    process.next_config = config
    process.next_number = side.request(process.program, joins=False)
    return process.next_number


def _keep_log(old: ProcessConfig, new: ProcessConfig, channel: str) -> None:
    """Let a log whose name Supervisor chooses stay where it is: every start makes another name."""
    key = f"{channel}_logfile"
    if getattr(new, key) is Automatic and has_chosen_log(old, channel):
        setattr(new, key, getattr(old, key))
