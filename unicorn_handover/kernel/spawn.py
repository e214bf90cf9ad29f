"""Starts children of this process, each in a process group of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from ..errors import HandoverError, printable

STABLE = 10.0  # seconds that a child lives, if it is not in a crash loop
LONGEST = 60.0  # seconds between two starts in a crash loop


class CannotRun(HandoverError):
    """A command that cannot be executed. status: what a shell gives, 127 if it is not there."""

    def __init__(self, words: Sequence[str], error: OSError) -> None:
        self.status = 127 if isinstance(error, FileNotFoundError) else 126
        super().__init__(f"cannot run {printable(words[0])}: {error.strerror}")


def spawn(words: Sequence[str], descriptors: Mapping[int, int] | None = None) -> int:
    """Start a command and return its pid. Raises CannotRun.

    It leads a process group of its own: a terminal's Ctrl-C is for this process alone, which sends
    what it means. Its input is empty, for a background group that reads from a terminal is sent
    TTIN, which adds a worker. `descriptors` are those that it gets, by their numbers there.
    """
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    ]
    for there, here in (descriptors or {}).items():
        actions.append((os.POSIX_SPAWN_DUP2, here, there))
    try:
        return os.posix_spawnp(
            words[0],
            list(words),
            os.environ,
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # which Python ignores
        )
    except OSError as error:
        raise CannotRun(words, error) from None


class Backoff:
    """How long to wait before a child that ended is started again."""

    def __init__(self) -> None:
        self._pause = 0.0

    def after(self, lived: float) -> float:
        """Return the seconds to wait, given those that the child lived: doubled in a crash loop."""
        self._pause = 0.0 if lived >= STABLE else min(max(1.0, 2 * self._pause), LONGEST)
        return self._pause
