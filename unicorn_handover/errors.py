"""Every refusal an operator can meet, each as one line: what, where, and what to do."""

import contextlib
import sys
from collections.abc import Iterable

PREFIX = "unicorn-handover: "  # of our lines on a standard error that a program shares


def printable(text: str, limit: int = 200) -> str:
    """Return `text` from outside made safe for a log line: escaped, cut to `limit` characters."""
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= limit else escaped[: limit - 3] + "..."


def raised(error: Exception) -> str:
    """Return an unexpected error as one line, for a log or a caller, with where it was raised.

    No trace follows it in a host's log: this is all that a report of the fault can show.
    """
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = ""
    if trace:
        path = trace.tb_frame.f_code.co_filename.split("/")
        place = f" ({'/'.join(path[-2:])}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {printable(str(error))}{place}"


def either(names: Iterable[str]) -> str:
    """Return names as a sentence has them: "a, b or c"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def complain(line: str) -> None:
    """Write a line to standard error, which may be on a full disk, or have lost its reader."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


class HandoverError(Exception):
    """The base of the errors below."""


class ConfigError(HandoverError):
    """A configuration value that cannot be used.

    `section` is the section's name without brackets, `key` the option's name as the file spells it.
    """

    def __init__(self, section: str, key: str, problem: str, fix: str) -> None:
        self.section = section
        self.key = key
        self.problem = problem
        self.fix = fix
        super().__init__(f"[{section}] {key}: {problem}; {fix}")


class Refused(HandoverError):
    """A handover that must not begin, because its first signal could already cost requests."""


class CannotReExec(Refused):
    """A re-exec of the running master cannot give what is configured, or anything at all.

    What is configured can be started all the same: a new master that the host starts itself is not
    concerned by this. Of any other `Refused` it would suffer as well.
    """


class NotYet(Refused):
    """A part of a handover that will be possible in a moment."""
