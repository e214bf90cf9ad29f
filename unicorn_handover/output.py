"""Picks, out of what a program wrote, the lines that tell an operator why a new master failed."""

from __future__ import annotations

import re

from .errors import printable

LINES = 10
FRAME = re.compile(  # a line of a Ruby or a Python back trace that does not hold its message
    r"\s*(from )?\S+:\d+:in [`'].*'"
    r"|Traceback \(most recent call last\):"
    r"|During handling of the above exception, another exception occurred:"
    r"|  File .*"
    r"|    .*"
)


def excerpt(text: str, old: int) -> tuple[str, ...]:
    """Return the last lines of `text` that the old master did not write, safe to print.

    Both masters write to one log. unicorn tags its lines with `#PID]`, gunicorn with `[PID]`. The
    frames of back traces are left out, for they would push the messages out.
    """
    tags = (f"#{old}]", f"[{old}]")
    lines = [
        line
        for line in text.splitlines()
        if line.strip() and not any(tag in line for tag in tags) and not FRAME.fullmatch(line)
    ]
    return tuple(printable(line) for line in lines[-LINES:])
