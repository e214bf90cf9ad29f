"""Reports at start what is wrong in a configuration that Supervisor itself accepts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from supervisor.options import EventListenerConfig, make_namespec

from unicorn_handover.errors import ConfigError, printable
from unicorn_handover.host.guard import contained
from unicorn_handover.host.sections import Section, doubled

from .conffiles import INTERFACE, PACKAGE, ConfFiles, is_ours, programs
from .events import DriverEvent

DRIVER_SECTION = "eventlistener:unicorn_handover"


class Startup:
    """`joined` and `complaints` for one supervisord: an error in them is logged and costs nothing.

    `options` are supervisord's own; `failed` takes a line about an error of ours.
    """

    def __init__(self, options: Any, failed: Callable[[str], None]) -> None:
        self.failed = failed
        self._options = options

    @contained()
    def joined(self, config: Mapping[str, str]) -> dict[str, str]:
        """Return the keys of [rpcinterface:unicorn] with the programs of all such sections."""
        return joined(config, ConfFiles(self._options.configfile))

    @contained(())
    def complaints(self, listed: Collection[str]) -> Sequence[str]:
        """Return a line for each thing that is wrong; `listed` are the programs to be managed."""
        return complaints(self._options, ConfFiles(self._options.configfile), listed)


def joined(config: Mapping[str, str], files: ConfFiles) -> dict[str, str]:
    """Return the keys of [rpcinterface:unicorn] with the programs of all sections of that name.

    Of a key that comes twice Supervisor keeps the later value, so what was appended last would
    silently turn the restarts of the programs before it into plain ones.
    """
    names = [name for section in _interfaces(files) for name in programs(section)]
    return {**config, "programs": " ".join(names)} if _is_doubled(files) else dict(config)


def complaints(options: Any, files: ConfFiles, listed: Collection[str]) -> list[str]:
    """Return a line for each thing that is wrong.

    `options` are supervisord's own, `listed` the programs that are to be managed.
    """
    lines = [
        _missing_ctlplugin(files),
        _doubled(files),
        *_misnamed(options.rpcinterface_factories),
        *_clashes(options.process_group_configs, listed),
    ]
    return [line for line in lines if line]


def unknown(section: str, name: str) -> ConfigError:
    """Return the line for a listed program that is not there."""
    problem = f"there is no [program:{printable(name, 60)}]"
    return ConfigError(
        section, "programs", problem, "add the program, or take the name off the list"
    )


def copies(group: str, configs: Iterable[Any]) -> list[str]:
    """Return a line for each command that several programs of a group run alike.

    An address may come of PORT, or be a path relative to the directory.
    """
    same: dict[object, list[str]] = {}
    for config in configs:
        alike = config.command, config.directory, sorted((config.environment or {}).items())
        same.setdefault(repr(alike), []).append(str(make_namespec(group, config.name)))
    return [
        f"{', '.join(names)} run one and the same command, so they share one pid file and one "
        "address; use numprocs = 1 and more workers, or put %(process_num)d into the command"
        for names in same.values()
        if len(names) > 1
    ]


def same_name(name: str) -> str:
    """Return the line for a driver's group that has the name of a program's."""
    return (
        f"[eventlistener:{name}] has the name of a program or a group, and supervisord starts only "
        f"one of the two; rename it to [{DRIVER_SECTION}]"
    )


def _interfaces(files: ConfFiles) -> list[Section]:
    return [section for section in files.sections if section.name == INTERFACE]


def _is_doubled(files: ConfFiles) -> bool:
    return len(_interfaces(files)) > 1


def _doubled(files: ConfFiles) -> str:
    sections = _interfaces(files)
    names = " ".join(dict.fromkeys(name for section in sections for name in programs(section)))
    return doubled(sections, "last", "programs", names)


def _missing_ctlplugin(files: ConfFiles) -> str:
    if any(is_ours(section, "ctlplugin") for section in files.main):
        return ""
    hidden = [section for section in files.included if is_ours(section, "ctlplugin")]
    if not hidden and not any(section.name == "supervisorctl" for section in files.main):
        return ""  # supervisorctl has a configuration of its own, which is not known here
    fix = f"move it there from {hidden[0].place}" if hidden else "add it there"
    return (
        f"[ctlplugin:unicorn] is not in the main file {files.path}, and supervisorctl reads no "
        f"[include], so `supervisorctl restart` stops and starts a program instead of handing it "
        f"over; {fix}"
    )


def _misnamed(factories: list[tuple[str, Any, Any]]) -> list[str]:
    ours = [name for name, factory, _ in factories if factory.__module__.startswith(PACKAGE)]
    return [
        f"[rpcinterface:{name}] is not asked by supervisorctl, which knows it as [{INTERFACE}]; "
        f"list its programs there"
        for name in ours
        if f"rpcinterface:{name}" != INTERFACE
    ]


def _clashes(configs: list[Any], listed: Collection[str]) -> list[str]:
    """Groups of one name, of which supervisord starts the first (`add_process_group`)."""
    groups: dict[str, list[Any]] = {}
    for config in configs:
        groups.setdefault(config.name, []).append(config)
    lines = []
    for name, same in groups.items():
        if len(same) > 1 and any(map(_is_driver, same)):
            lines.append(same_name(name))
        elif len(same) > 1 and any(_names(config) & {*listed} for config in same):
            lines.append(
                f"{len(same)} groups of programs have the name {name}, and supervisord starts only "
                "one of them; rename the others"
            )
    return lines


def _is_driver(config: Any) -> bool:
    return isinstance(config, EventListenerConfig) and DriverEvent in config.pool_events


def _names(config: Any) -> set[str]:
    return {config.name, *(process.name for process in config.process_configs)}
