"""The sections of a configuration file as they are written.

Both hosts' parsers join sections of one name without a word, and so drop some of what is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def doubled(sections: Sequence[Section], counts: str, listing: str, names: str) -> str:
    """Return the line about a section that is there more than once, else "".

    counts: which value of a key the host keeps, "first" or "last". listing: the key that names the
    programs; names: what it is to be in the one section that is to be written.
    """
    if len(sections) < 2:
        return ""
    places = " and ".join(section.place for section in sections)
    return (
        f"[{sections[0].name}] is there {len(sections)} times, in {places}; all their {listing} "
        f"are managed, but of every other key the {counts} value holds for all; make it one "
        f"section with {listing} = {names}"
    )
