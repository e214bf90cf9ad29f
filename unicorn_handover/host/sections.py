"""The sections of a configuration file as they are written.

Both hosts' parsers join sections of one name without a word, and so drop some of what is written.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEADER = re.compile(r"^\[([^\]\n]+)\]", re.MULTILINE)


class Section(NamedTuple):
    """One section of one file; `name` is without the brackets, `line` counts from 1."""

    file: str
    line: int
    name: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, as FILE:LINE."""
        return f"{self.file}:{self.line}"


def sections_of(path: str) -> list[Section]:
    """Return a file's sections, in its order; none of a file that cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return []
    heads = list(_HEADER.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        Section(path, text.count("\n", 0, head.start()) + 1, head[1], text[head.start() : end])
        for head, end in zip(heads, ends)
    ]
