"""The options of a handover: their names and defaults, and what a section says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from ..errors import ConfigError, printable
from .values import OF_ALL, READERS


@dataclass(frozen=True)
class Options:
    """How one program is handed over. Times are in seconds."""

    server: str = "auto"
    method: str = "auto"
    boot_timeout: float = 120.0
    soak: float = 0.0
    quiesce: str = "auto"
    check: str = ""
    check_host: str = ""
    check_headers: str = ""
    check_status: str = "200-399"
    drain_timeout: float = 60.0
    pidfile: str = ""
    hold: float = 30.0
    hold_stop: float = 0.0
    survive: bool = True
    own_reader: bool = False

    @property
    def holds(self) -> bool:
        """True if the program's sockets are held, over whatever."""
        return bool(self.hold or self.hold_stop)


@dataclass(frozen=True)
class Settings:
    """All that a plugin section says.

    `programs` holds the options of every program the section names, in its order; `errors` the
    lines to show the operator; `refusals` what keeps a program from being handed over, by its name.
    `max_handovers` is how many may run at once, 0 for no limit; `state` the directory for what
    the next host is to know, "" for the default.
    """

    programs: dict[str, Options]
    max_handovers: int = 0
    state: str = ""
    errors: list[ConfigError] = field(default_factory=list)
    refusals: dict[str, ConfigError] = field(default_factory=dict)


def parse(section: str, raw: Mapping[str, str], listing: str = "programs") -> Settings:
    """Read a plugin section's `raw` keys and values.

    `listing` is the key that names the managed programs ("programs", "watchers"). Nothing is
    raised: a bad value is an error that also refuses handovers of the programs it concerns, so that
    a typing error never turns a zero-downtime restart into a plain one.
    """
    return _Parser(section, raw, listing).settings()


def names_in(value: str) -> list[str]:
    """Split a list of names at spaces and commas, keeping the first of doubles."""
    return [name for name in dict.fromkeys(re.split(r"[\s,]+", value)) if name]


class _Parser:
    def __init__(self, section: str, raw: Mapping[str, str], listing: str) -> None:
        self.section = section
        self.raw = raw
        self.listing = listing
        self.names = names_in(raw.get(listing, ""))
        self.whole: dict[str, object] = {}
        self.common: dict[str, object] = {}
        self.own: dict[str, dict[str, object]] = {name: {} for name in self.names}
        self.errors: list[ConfigError] = []
        self.refusals: dict[str, ConfigError] = {}

    def settings(self) -> Settings:
        if not self.names:
            self._error(self.listing, "names nothing", "list the programs to manage", ())
        for key, value in self.raw.items():
            if key != self.listing:
                self._take(key, value)
        programs = {
            name: Options(**{**self.common, **own})  # type: ignore[arg-type]
            for name, own in self.own.items()
        }
        self._refuse_shared_pidfiles(programs)
        return Settings(programs, errors=self.errors, refusals=self.refusals, **self.whole)  # type: ignore[arg-type]

    def _take(self, key: str, value: str) -> None:
        """Read one key: PROGRAM.OPTION, an option of every program, or one of them all together."""
        owner, dot, option = key.rpartition(".")
        concerned = self._meant(owner) if dot else self.names
        if dot and not concerned:
            problem = f"{printable(owner, 60)} is not in `{self.listing}`"
            self._error(key, problem, "add it there", ())
            return
        read = self._read(key, option, value, concerned)
        if dot:
            for name in concerned:
                self.own[name].update(read)
        else:
            (self.whole if key in OF_ALL else self.common).update(read)

    def _meant(self, name: str) -> list[str]:
        """The listed names that a key begins with.

        Both hosts' parsers make a key's letters small, and Supervisor's ends one at a colon, so the
        options of GROUP:NAME go by NAME.
        """
        exact = [listed for listed in self.names if listed.lower() == name.lower()]
        ends = [n for n in self.names if n.lower().rpartition(":")[2] == name.lower()]
        return exact or ends

    def _error(self, key: str, problem: str, fix: str, concerned: Sequence[str]) -> None:
        error = ConfigError(self.section, key, problem, fix)
        self.errors.append(error)
        for name in concerned:
            self.refusals.setdefault(name, error)

    def _read(
        self, key: str, option: str, value: str, concerned: Sequence[str]
    ) -> dict[str, object]:
        """The value of an option by its name; nothing if it is bad."""
        reader = READERS.get(option) or OF_ALL.get(key)
        if reader is None:
            whole = _cut_at_colon(value)
            if whole:
                self._error(key, "a key ends at a colon", f"write {whole}", concerned)
                return {}
            known = [f.name for f in fields(Options)]
            known += OF_ALL if option == key else []
            fix = f"the options are {', '.join(known)}"
            self._error(printable(key, 60), "unknown option", fix, concerned)
            return {}
        try:
            return {option: reader(value.strip())}
        except ValueError as error:
            problem, fix = error.args
            self._error(key, f"{problem}, not {printable(value, 80)!r}", fix, concerned)
            return {}

    def _refuse_shared_pidfiles(self, programs: Mapping[str, Options]) -> None:
        users: dict[str, list[str]] = {}
        for name, options in programs.items():
            if options.pidfile:
                users.setdefault(options.pidfile, []).append(name)
        for path, names in users.items():
            if len(names) > 1:
                problem = f"{' and '.join(names)} share {printable(path)}"
                self._error("pidfile", problem, "give each program a pid file of its own", names)


def _cut_at_colon(value: str) -> str:
    """Return NAME.OPTION of a value that is the rest of GROUP:NAME.OPTION = ..., "" of others."""
    whole = value.partition("=")[0].strip()
    _, dot, option = whole.rpartition(".")
    return printable(whole, 60) if dot and option in READERS else ""
