"""What the demonstration shows: plain lines anywhere, colours and a live line on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import groupby

from tests.kit.load import Answer

BOLD, DIM, RED, GREEN, BLUE = "1", "2", "31", "32", "34"
MARKS = {"1": (BLUE,), "2": (GREEN,), "+": (BOLD,), "!": (RED, BOLD)}
REFRESH = 0.1  # seconds


class Screen:
    """Prints lines, and keeps a live line below them while `live` is in force."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._coloured = self._terminal and "NO_COLOR" not in os.environ
        self._lock = threading.Lock()
        self._shown = ""

    def paint(self, text: str, *codes: str) -> str:
        """Return the text in colours, where there are any."""
        return f"\033[{';'.join(codes)}m{text}\033[0m" if self._coloured and codes else text

    def say(self, text: str = "", *codes: str) -> None:
        """Print a line above the live one."""
        with self._lock:
            clear = "\r\033[K" if self._shown else ""
            sys.stdout.write(f"{clear}{self.paint(text, *codes)}\n{self._shown}")
            sys.stdout.flush()

    def live(self, text: Callable[[], str]) -> Live:
        """Show what `text` gives, ever anew, as the last line of a terminal."""
        return Live(self, text, self._terminal)

    def show(self, line: str) -> None:
        """Put this in the place of the live line; "" takes it away."""
        with self._lock:
            self._shown = line
            sys.stdout.write(f"\r\033[K{line}")
            sys.stdout.flush()

    def marks(self, answers: Sequence[Answer], began: float, ended: float, width: int = 50) -> str:
        """Draw who answered over time, the release's number for each slice: ! for a failure."""
        slices: list[set[str]] = [set() for _ in range(width)]
        for answer in answers:
            place = int((answer.ended - began) / max(ended - began, 0.001) * width)
            if 0 <= place < width:
                slices[place].add(answer.release[-1:] if answer.ok else "!")
        drawn = groupby(_mark(found) for found in slices)
        return "".join(self.paint("".join(marks), *MARKS.get(mark, ())) for mark, marks in drawn)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return shutil.get_terminal_size((100, 24)).columns


class Live:
    """A line that is drawn again and again while this context lasts."""

    def __init__(self, screen: Screen, text: Callable[[], str], terminal: bool) -> None:
        self._screen = screen
        self._text = text
        self._ended = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True) if terminal else None

    def __enter__(self) -> None:
        if self._painter:
            self._painter.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._painter:
            self._painter.join()
            self._screen.show("")

    def _paint(self) -> None:
        while not self._ended.wait(REFRESH):
            self._screen.show(self._text())


def _mark(found: set[str]) -> str:
    """The mark for a slice of time in which these answered."""
    if "!" in found:
        return "!"
    return "+" if len(found) > 1 else next(iter(found), " ")
