"""Picks, out of what a program wrote, the lines that tell an operator why a new master failed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..errors import printable

LINES = 10
TAIL_BYTES = 1 << 16  # of a log that are read, from its end
FRAME = re.compile(  # a line of a Ruby or a Python back trace that does not hold its message
    r"\s*(from )?\S+:\d+:in [`'].*'"
    r"|Traceback \(most recent call last\):"
    r"|During handling of the above exception, another exception occurred:"
    r"|  File .*"
    r"|    .*"
)


ROUTINE = re.compile(  # what unicorn and gunicorn say of themselves when nothing is wrong
    r"[ID], \[\S+ #\d+\] +(INFO|DEBUG) -- : .*|\[[^]]+\] \[\d+\] \[(INFO|DEBUG)\] .*"
)


class Logs:
    """The log files of one program, from a mark on."""

    def __init__(self) -> None:
        self._marks: dict[str, int] = {}

    def mark(self, paths: Iterable[str]) -> None:
        """Remember where the files end now."""
        self._marks = {path: os.path.getsize(path) for path in paths if os.path.isfile(path)}

    def excerpt(self, paths: Iterable[str], old: int) -> tuple[str, ...]:
        """The excerpt of the first file that has one, of what was written since the mark."""
        return next((lines for path in paths if (lines := excerpt(self._since(path), old))), ())

    def _since(self, path: str) -> str:
        try:
            with open(path, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                mark = self._marks.get(path, 0)
                file.seek(max(size - TAIL_BYTES, mark if mark <= size else 0))  # it was rotated
                return file.read(TAIL_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""


def excerpt(text: str, old: int) -> tuple[str, ...]:
    """Return the last lines of `text` that the old master did not write, safe to print.

    Both masters write to one log. unicorn tags its lines with `#PID]`, gunicorn with `[PID]`. The
    frames of back traces are left out, for they would push the messages out, and so would routine
    lines where workers die again and again: those are shown if there is nothing else.
    """
    tags = (f"#{old}]", f"[{old}]")
    lines = [
        line
        for line in text.splitlines()
        if line.strip() and not any(tag in line for tag in tags) and not FRAME.fullmatch(line)
    ]
    telling = [line for line in lines if not ROUTINE.fullmatch(line)]
    return tuple(printable(line) for line in (telling or lines)[-LINES:])
