"""The options of a handover: their names, defaults and ranges. The same for every host."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from ..errors import ConfigError, printable
from ..servers import SERVERS
from .asking import headers_in, statuses_in, unquoted
from .record import METHODS

LONGEST = 86400.0  # one day, in seconds: more is a typing error
LONGEST_SOCKET = 107  # bytes of a unix socket's path, unix(7)

_NAME = r"[\w-]{1,63}(?:\.[\w-]{1,63})*\.?"  # of a host
_TARGET = r"/[!-\"$-~]*"  # a path and query: what can be seen of ASCII, but no fragment


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


@dataclass(frozen=True)
class Settings:
    """All that a plugin section says.

    `programs` holds the options of every program the section names, in its order; `errors` the
    lines to show the operator; `refusals` what keeps a program from being handed over, by its name.
    `max_handovers` is how many may run at once, 0 for no limit; `state` the folder for what the
    next host is to know, "" for the default.
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


def either(names: Iterable[str]) -> str:
    """Return names as a sentence has them: "a, b or c"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


class _Parser:
    def __init__(self, section: str, raw: Mapping[str, str], listing: str) -> None:
        self.section = section
        self.raw = raw
        self.listing = listing
        self.names = names_in(raw.get(listing, ""))
        self.errors: list[ConfigError] = []
        self.refusals: dict[str, ConfigError] = {}

    def settings(self) -> Settings:
        if not self.names:
            self._error(self.listing, "names nothing", "list the programs to manage", ())
        common: dict[str, object] = {}
        own: dict[str, dict[str, object]] = {name: {} for name in self.names}
        whole: dict[str, object] = {}
        for key, value in self.raw.items():
            if key == self.listing:
                continue
            if key in _OF_ALL:
                self._read(key, key, value, whole, self.names)
            elif "." in key:
                name, _, option = key.rpartition(".")
                meant = self._meant(name)
                read: dict[str, object] = {}
                self._read(key, option, value, read if meant else None, meant)
                for name in meant:
                    own[name].update(read)
            else:
                self._read(key, key, value, common, self.names)
        programs = {name: Options(**{**common, **own[name]}) for name in self.names}  # type: ignore[arg-type]
        self._refuse_shared_pidfiles(programs)
        return Settings(programs, errors=self.errors, refusals=self.refusals, **whole)  # type: ignore[arg-type]

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
        self,
        key: str,
        option: str,
        value: str,
        into: dict[str, object] | None,
        concerned: Sequence[str],
    ) -> None:
        if into is None:
            name = printable(key.rpartition(".")[0], 60)
            self._error(key, f"{name} is not in `{self.listing}`", "add it there", ())
            return
        reader = _READERS.get(option) or (_OF_ALL.get(option) if option == key else None)
        if reader is None:
            known = [f.name for f in fields(Options)]
            known += _OF_ALL if option == key else []
            fix = f"the options are {', '.join(known)}"
            self._error(printable(key, 60), "unknown option", fix, concerned)
            return
        try:
            into[option] = reader(value.strip())
        except ValueError as error:
            shown = printable(value, 80)
            problem, fix = error.args
            self._error(key, f"{problem}, not {shown!r}", fix, concerned)

    def _refuse_shared_pidfiles(self, programs: Mapping[str, Options]) -> None:
        users: dict[str, list[str]] = {}
        for name, options in programs.items():
            if options.pidfile:
                users.setdefault(options.pidfile, []).append(name)
        for path, names in users.items():
            if len(names) > 1:
                problem = f"{' and '.join(names)} share {printable(path)}"
                self._error("pidfile", problem, "give each program a pid file of its own", names)


def _server(value: str) -> str:
    if value not in ("auto", *SERVERS):
        raise ValueError(f"must be auto, {either(SERVERS)}", "auto reads the running master")
    return value


@dataclass(frozen=True)
class _Seconds:
    low: float

    def __call__(self, value: str) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not self.low <= seconds <= LONGEST:
            raise ValueError(
                f"must be a number of seconds from {self.low:g} to {LONGEST:g}",
                "write it without a unit",
            )
        return seconds


def _limit(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ValueError("must be a whole number", "0 means no limit")
    return int(value)


def _yes_or_no(value: str) -> bool:
    if value not in ("yes", "no"):
        raise ValueError("must be yes or no", "write one of them")
    return value == "yes"


def _method(value: str) -> str:
    if value not in METHODS:
        raise ValueError(
            f"must be {either(METHODS)}", "auto re-executes the master where that can do"
        )
    return value


def _quiesce(value: str) -> str:
    if value not in ("auto", "yes", "no"):
        raise ValueError(
            "must be auto, yes or no", "auto stops workers that can come back as they were"
        )
    return value


def _check(value: str) -> str:
    socket = re.fullmatch(rf"unix:(/[^:\s]+):{_TARGET}", value)
    if socket and len(os.fsencode(socket[1])) > LONGEST_SOCKET:
        problem = f"must name a socket by at most {LONGEST_SOCKET} bytes"
        raise ValueError(problem, "the kernel takes no longer path")
    if value and not socket and not _is_http(value):
        raise ValueError(
            "must be an address to ask",
            "write http://host:port/path or unix:/path.sock:/path",
        )
    return value


def _is_http(value: str) -> bool:
    """True for a URL that http.client can ask, without a user, a password or a fragment."""
    pattern = rf"http://(?:{_NAME}|\[(?P<v6>[^\]]+)\])(?::(?P<port>\d{{1,5}}))?(?:{_TARGET})?"
    url = re.fullmatch(pattern, value, re.ASCII)
    if not url or not 0 < int(url["port"] or 80) < 65536:
        return False
    with contextlib.suppress(ValueError):
        return not url["v6"] or bool(ipaddress.IPv6Address(url["v6"]))
    return False


def _host(value: str) -> str:
    url = f"http://{value}/"
    if value and ("/" in value or "?" in value or not _is_http(url)):
        raise ValueError("must be a host as a browser names it", "write it as example.org:80")
    return value


def _read_by(reader: Callable[[str], object]) -> Callable[[str], str]:
    """Take what another reader takes, as it is written: options cross to the driver as text."""

    def read(value: str) -> str:
        value = unquoted(value)
        reader(value)
        return value

    return read


def _path(value: str) -> str:
    if value and not value.startswith("/"):
        raise ValueError("must be an absolute path", "start it with /")
    return value


_READERS: dict[str, Callable[[str], object]] = {
    "server": _server,
    "method": _method,
    "boot_timeout": _Seconds(1),
    "soak": _Seconds(0),
    "quiesce": _quiesce,
    "check": _check,
    "check_host": _host,
    "check_headers": _read_by(headers_in),
    "check_status": _read_by(statuses_in),
    "drain_timeout": _Seconds(1),
    "pidfile": _path,
    "hold": _Seconds(0),
    "hold_stop": _Seconds(0),
    "survive": _yes_or_no,
    "own_reader": _yes_or_no,
}
_OF_ALL: dict[str, Callable[[str], object]] = {"max_handovers": _limit, "state": _path}
