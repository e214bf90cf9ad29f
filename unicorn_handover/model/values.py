"""What the value of each option may be.

A reader returns what a text means, or raises ValueError with the problem and what to do.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import either
from ..servers import SERVERS
from .check_options import headers_in, statuses_in, unquoted
from .record import METHODS

LONGEST = 86400.0  # one day, in seconds: more is a typing error
LONGEST_SOCKET = 107  # bytes of a unix socket's path, unix(7)

_NAME = r"[\w-]{1,63}(?:\.[\w-]{1,63})*\.?"  # of a host
_TARGET = r"/[!-\"$-~]*"  # a path and query: what can be seen of ASCII, but no fragment


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
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
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


READERS: dict[str, Callable[[str], object]] = {
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
"""By the option of one program; each takes a stripped value."""

OF_ALL: dict[str, Callable[[str], object]] = {"max_handovers": _limit, "state": _path}
"""By the option that concerns all programs together."""
