"""Which programs [rpcinterface:unicorn] lists, by whichever of their names."""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.options import make_namespec
from supervisor.process import ProcessGroupBase, Subprocess

from unicorn_handover.errors import ConfigError
from unicorn_handover.model.options import Options, Settings

from .conffiles import INTERFACE
from .startup import unknown


def names_of(group: ProcessGroupBase, process: Subprocess) -> list[str]:
    """The names that a program may be listed by, the most exact one first."""
    namespec = str(make_namespec(group.config.name, process.config.name))
    return [namespec, process.config.name, group.config.name]


def options_of(settings: Settings, names: list[str]) -> Options | None:
    """The options of a program with these names, None if it is not listed."""
    return next((settings.programs[name] for name in names if name in settings.programs), None)


def refusal_of(settings: Settings, names: list[str]) -> str:
    """The bad setting that keeps this program from being handed over, or ""."""
    found = [settings.refusals[name] for name in names if name in settings.refusals]
    return str(found[0]) if found else ""


def unknown_programs(settings: Settings, groups: Iterable[ProcessGroupBase]) -> list[ConfigError]:
    """The errors about listed names that no program has."""
    known: set[str] = set()
    for group in groups:
        for process in group.processes.values():
            known.update(names_of(group, process))
    return [unknown(INTERFACE, name) for name in settings.programs if name not in known]
