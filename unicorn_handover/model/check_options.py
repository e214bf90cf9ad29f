"""What the check sends besides its address, and which answers it accepts: three options' syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator

STATUSES = range(100, 600)
OURS = ("connection", "content-length", "expect", "te", "transfer-encoding", "upgrade")

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, 5.6.2
_HEADER = re.compile(rf"({_TOKEN})[ \t]*:[ \t]*([!-~](?:[ -~\t]*[!-~])?)")
_BETWEEN = re.compile(rf"\s*(?:,|\n)\s*(?={_TOKEN}[ \t]*:)")  # not at a comma within a value


def unquoted(value: str) -> str:
    """Return a value without the quotes around it, which Circus needs where there is a space."""
    match = re.fullmatch(r"([\"'])(.*)\1", value, re.DOTALL)
    return match[2] if match else value


def headers_in(value: str) -> dict[str, str]:
    """Read "NAME: VALUE, NAME: VALUE", or one of them a line.

    Raises ValueError with the problem and what to do.
    """
    headers = {}
    for text in _BETWEEN.split(value) if value else ():
        header = _HEADER.fullmatch(text)
        if not header:
            raise ValueError("must be request headers", "write NAME:VALUE,NAME:VALUE")
        name, content = header.groups()
        if name.lower() == "host":
            raise ValueError("must not name the host", "set check_host")
        if name.lower() in OURS:
            raise ValueError(f"must not set {name}", "leave it out; the check sends one GET")
        headers[name] = content
    return headers


def statuses_in(value: str) -> frozenset[int]:
    """Read "200,301-302". Raises ValueError with the problem and what to do."""
    return frozenset(status for text in value.split(",") for status in _range(text.strip()))


def _range(text: str) -> Iterator[int]:
    ends = re.fullmatch(r"(\d{3})(?:-(\d{3}))?", text, re.ASCII)
    low, high = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
    if low not in STATUSES or high not in STATUSES or low > high:
        raise ValueError("must be HTTP statuses from 100 to 599", "write 200 or 200,301-302")
    yield from range(low, high + 1)
