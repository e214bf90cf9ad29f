"""Which watchers are managed, what the plugin's section says of them, and why one is refused."""

from __future__ import annotations

import os
import re
import shlex

from circus import logger
from circus.watcher import Watcher

from unicorn_handover.errors import ConfigError, printable
from unicorn_handover.host.sections import doubled
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options, Settings, names_in, parse

from .circusd import Circusd, plugin_options
from .conffiles import sections_named, watchers

PLUGIN = "circus_unicorn.UnicornPlugin"
NOT_OURS = ("active", "__name__")  # what Circus itself puts among a plugin's options


class Selection:
    """The plugin's section, as of the last `read`.

    settings: what it says. plugin: Circus's watcher of the plugin, which is the driver's, or None.
    """

    def __init__(self, circusd: Circusd) -> None:
        self.settings = Settings({})
        self.plugin: Watcher | None = None
        self._circusd = circusd
        self._raw: list[dict[str, str]] | None = None

    def plugins(self) -> list[Watcher]:
        """Circus's watchers of this plugin; the first one is the driver's."""
        return [w for w in self._circusd.watchers if names_plugin(w.cmd.split())]

    def forget(self) -> None:
        """Read all again next time, and log again what is wrong."""
        self._raw = None

    def read(self) -> None:
        """Read the section if it is another than last time, and log what is wrong with it."""
        plugins = self.plugins()
        self.plugin = plugins[0] if plugins else None
        if self.plugin is None:
            self.settings, self._raw = Settings({}), None
            return
        raw = [_raw_options(plugin) for plugin in plugins]
        if raw != self._raw:
            self._raw = raw
            self._parse(self.plugin.name, raw[0])
            for error in self._clashes(self.plugin.name) + self._unknown(self.plugin.name):
                logger.error(str(error))
            for other, options in zip(plugins[1:], raw[1:]):
                self._refuse_second(other.name, self.plugin.name, options)

    def _refuse_second(self, section: str, first: str, raw: dict[str, str]) -> None:
        """Log that a second section drives nothing; restarts of what it alone lists are refused."""
        fix = f"name all watchers in [{first}]"
        error = ConfigError(section, "use", "a second driver is not needed", fix)
        logger.error(str(error))
        for name in names_in(raw.get("watchers", "").lower()):
            if name not in self.settings.programs:
                self.settings.programs[name] = Options()
                self.settings.refusals[name] = error

    def _parse(self, section: str, raw: dict[str, str]) -> None:
        # Circus finds watchers by their names in lower case, and reads keys in lower case.
        lowered = {k: v.lower() if k == "watchers" else v for k, v in raw.items()}
        sections = sections_named(section, self._circusd.config_file)
        if len(sections) > 1:
            names = ",".join(dict.fromkeys(name for s in sections for name in watchers(s)))
            logger.error(doubled(sections, "first", "watchers", names))
            lowered["watchers"] = names
        self.settings = parse(section, lowered, "watchers")
        unusable = _unusable(section, raw)
        for name in self.settings.programs if unusable else ():
            self.settings.refusals.setdefault(name, unusable[0])
        for error in self.settings.errors + unusable:
            logger.error(str(error))

    def _unknown(self, section: str) -> list[ConfigError]:
        there = {str(watcher.name.lower()) for watcher in self._circusd.watchers}
        return [
            ConfigError(
                section,
                "watchers",
                f"there is no [watcher:{printable(name, 60)}]",
                "add the watcher, or take the name off the list",
            )
            for name in self.settings.programs
            if name not in there
        ]

    def _clashes(self, section: str) -> list[ConfigError]:
        """Listed watchers of one name, of which Circus's commands, blind to case, reach one."""
        there = [watcher.name.lower() for watcher in self._circusd.watchers]
        return [
            ConfigError(
                section,
                "watchers",
                f"{there.count(name)} watchers have the name {name}, but for upper and lower case",
                "rename the others, for circusctl reaches only one of them",
            )
            for name in self.settings.programs
            if there.count(name) > 1
        ]


def _raw_options(plugin: Watcher) -> dict[str, str]:
    options = plugin_options(plugin).items()
    return {key: value for key, value in options if key not in NOT_OURS}


def names_plugin(words: list[str]) -> bool:
    """True if the last word names this plugin, in one of the two ways that Circus understands."""
    return any(word.replace(":", ".") == PLUGIN for word in words[-1:])


def _unusable(section: str, raw: dict[str, str]) -> list[ConfigError]:
    return [
        ConfigError(
            section,
            printable(key, 60),
            f"{printable(value, 80)!r} has a space or a quote in it, with which Circus cannot "
            "start the plugin",
            "put it in double quotes" if _may_be_quoted(key) else "separate names by commas alone",
        )
        for key, value in raw.items()
        if any(mark in value for mark in " \t\n'\"\\") and not _is_quoted(key, value)
    ]


def _may_be_quoted(key: str) -> bool:
    return key.rpartition(".")[2] == "check_headers"


def _is_quoted(key: str, value: str) -> bool:
    """True for request headers that Circus passes on as one word, whatever is in them."""
    return _may_be_quoted(key) and re.fullmatch(r'"[^"\\\n]*"', value) is not None


def refusal(watcher: Watcher) -> str:
    """What keeps a restart of this running watcher from being a handover, or ""."""
    section = f"[watcher:{watcher.name}]"
    if watcher.numprocesses != 1:
        return too_many(watcher, watcher.numprocesses)
    if watcher.use_sockets:
        return (
            f"{section} use_sockets: a new master cannot have Circus's sockets; let the server "
            "bind its own, or take the watcher off the plugin's list"
        )
    if not watcher.system.is_directory(watcher.working_dir):
        directory = printable(watcher.working_dir)
        return f"{section} working_dir: {directory} is not there; make it again"
    problem = _problem_with_cmd(watcher)
    return f"{section} cmd: {problem}" if problem else ""


def is_one_process(watcher: Watcher) -> bool:
    """True if a watcher is one process, on sockets of its own."""
    return watcher.numprocesses == 1 and not watcher.use_sockets


def too_many(watcher: Watcher, processes: int) -> str:
    """The line for a watcher that has, or is to have, another number of processes than 1."""
    return (
        f"[watcher:{watcher.name}] numprocesses: must be 1 for a managed watcher, not {processes}; "
        "set numprocesses = 1 and more workers in the server"
    )


def _problem_with_cmd(watcher: Watcher) -> str:
    """Why Circus could not start this watcher again, or ""."""
    if watcher.shell or "$" in watcher.cmd:
        return ""
    try:
        word = next(iter(shlex.split(watcher.cmd)), "")
    except ValueError as error:
        return f"{error} in {printable(watcher.cmd)}; correct cmd"
    system: System = watcher.system
    if os.path.dirname(word):
        there = system.may_execute(os.path.join(watcher.working_dir, word))
    else:
        there = bool(system.find_command(word, (watcher.env or {}).get("PATH")))
    named = printable(word) or "command"
    return "" if there else f"there is no {named}; install it, or correct cmd"
