"""Picks the lines of a program's output that show an operator why a release failed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator

from ..errors import PREFIX, printable
from ..servers import SERVERS
from ..servers.lines import Lines
from .phases import explains_itself

LINES = 10  # that an operator is shown
WIDTH = 400  # characters of one line
LONGEST = 4000  # characters of a line that are searched
TAIL = 1 << 16  # bytes that are kept of what a program wrote
BEFORE, AFTER = 1, 3  # lines around one with an error that may belong to it

_ALL = [server.lines for server in SERVERS.values()]  # an application may run anything
_ACCESS = {lines.access for lines in _ALL}  # some are the same
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_ERROR = re.compile(
    r"error|exception|fatal|critical|panic|\[BUG\]|fail|abort|denied|killed", re.IGNORECASE
)
_COUNTED = re.compile(r"0x[0-9a-f]+|\d+")


class Tail:
    """The end of what was written, TAIL bytes of it, of which access lines are dropped first.

    It takes no more than twice that, and is filtered only when it is full.
    """

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Take what was written next."""
        self._data += data
        if len(self._data) > 2 * TAIL:
            self._data = _last_lines(self._data)

    @property
    def text(self) -> str:
        """What is kept."""
        return self._data.decode("utf-8", "replace")


def _last_lines(data: bytearray) -> bytearray:
    """The last whole lines, without access lines, of at most TAIL bytes; else the end of the last.

    They are searched from the end: of many megabytes most are not read.
    """
    *lines, last = bytes(data).split(b"\n")
    kept, room = [last], TAIL - len(last)  # half a line, maybe
    for line in reversed(lines):
        if not _is_access(line.decode("utf-8", "replace")):
            room -= len(line) + 1
            if room < 0:
                break
            kept.append(line)
    return bytearray(b"\n".join(reversed(kept))[-TAIL:])


def excerpt(text: str, old: Collection[int]) -> tuple[str, ...]:
    """Return the lines of `text` that explain a failure best, at most LINES, safe to print.

    Left out are requests that were answered, lines of our own and those that carry a pid of `old`,
    the master that serves on and its workers, and routine lines, which are shown if there is
    nothing else. A back trace is its message and one frame. What workers write that die in the same
    way again and again is shown once. If that is still too much, it is the last errors and what is
    near them.
    """
    tags = [PREFIX, *(lines.tag.format(pid) for lines in _ALL for pid in old)]
    written = (line for line in _COLOUR.sub("", text).split("\n") if not _is_access(line))
    mine = [
        line
        for line in (line[:LONGEST] for each in written for line in _unfolded(each))
        if line.strip() and not any(tag in line for tag in tags)
    ]
    lines = list(_condensed(mine))
    informative = [line for line in lines if not _is_routine(line)]
    shown = _near_errors(_once(informative or lines))[-LINES:]
    return tuple(printable(_cut(line), WIDTH) for line in shown)


def cause(
    reason: str, excerpts: Iterable[tuple[str, ...]], elsewhere: Callable[[], str]
) -> tuple[str, ...]:
    """Return the excerpt that explains most why a handover failed for this reason.

    If nothing was written, that is where the output goes instead. A release that answers, though
    badly, has written what every release writes: of its routine nothing is shown.
    """
    if explains_itself(reason):
        return most_informative(lines for lines in excerpts if not all(map(_is_routine, lines)))
    return most_informative(excerpts) or tuple(filter(None, [elsewhere()]))


def most_informative(excerpts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the first excerpt with an error, or else the first that is not empty."""
    some = [lines for lines in excerpts if lines]
    return next((lines for lines in some if any(map(_ERROR.search, lines))), (some or [()])[0])


def _is_routine(line: str) -> bool:
    return any(one.routine.fullmatch(line) for one in _ALL)


def _is_access(line: str) -> bool:
    return any(access.search(line[:LONGEST]) for access in _ACCESS)


def _unfolded(line: str) -> list[str]:
    """The line or, if it is an object of JSON with texts of several lines, those of each text."""
    if not (line.startswith("{") and "\\n" in line):
        return [line]
    try:
        texts = [text for text in _texts_in(json.loads(line)) if "\n" in text.strip()]
    except (ValueError, RecursionError):
        return [line]
    return [line for text in texts for line in text.split("\n")] or [line]


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(each)


def _cut(line: str) -> str:
    """The line or, if its first error is beyond WIDTH, what is around that."""
    error = _ERROR.search(line)
    begin = error.start() - WIDTH // 4 if error and error.end() > WIDTH else 0
    return f"...{line[begin:]}" if begin else line


def _condensed(lines: Iterable[str]) -> Iterator[str]:
    """Replace the frames of each back trace by the one that explains most."""
    frames: list[str] = []
    kind: Lines | None = None
    for line in [*lines, ""]:
        found = next((one for one in _ALL if one.frame.fullmatch(line)), None)
        if kind and found is not kind:
            yield from _own_frame(kind, frames)
            frames = []
        kind = found
        if found:
            frames.append(line)
        elif line:
            yield line


def _own_frame(kind: Lines, frames: Iterable[str]) -> list[str]:
    """The frame nearest to where the error was raised that is in the application's own code."""
    found = [(frame.strip(), kind.frame.fullmatch(frame)) for frame in frames]
    paths = [(frame, match["path"]) for frame, match in found if match and match["path"]]
    own = [frame for frame, path in paths if not kind.library.search(path)]
    return own[:1] if kind.innermost_first else own[-1:]


def _once(lines: Iterable[str]) -> list[str]:
    """The lines without those that differ from an earlier one by nothing but numbers."""
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(_COUNTED.sub("0", line), line)
    return list(first.values())


def _near_errors(lines: list[str]) -> list[str]:
    errors = [n for n, line in enumerate(lines) if _ERROR.search(line)]
    if len(lines) <= LINES or not errors:
        return lines
    near = {n + k for n in errors for k in range(-BEFORE, AFTER + 1)}
    return [line for n, line in enumerate(lines) if n in near]
