"""Picks, out of what a program wrote, the lines that tell an operator why a new master failed."""

from __future__ import annotations

import re

from .errors import printable

LINES = 10
RUBY_FRAME = re.compile(r"\s*(from )?\S+:\d+:in [`'].*'")  # a back trace without its message


def excerpt(text: str, old: int) -> tuple[str, ...]:
    """Return the last lines of `text` that the old master did not write, safe to print.

    Both masters write to one log. unicorn tags its lines with `#PID]`, gunicorn with `[PID]`. The
    frames of a Ruby back trace are left out: they follow the message and would push it out.
    """
    tags = (f"#{old}]", f"[{old}]")
    lines = [
        line
        for line in text.splitlines()
        if line.strip() and not any(tag in line for tag in tags) and not RUBY_FRAME.fullmatch(line)
    ]
    return tuple(printable(line) for line in lines[-LINES:])
