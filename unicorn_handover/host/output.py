"""The output of a program through its host, kept for a handover that may fail."""

from __future__ import annotations

from collections.abc import Collection

from ..model.excerpt import Tail, excerpt

CHANNELS = ("stderr", "stdout")  # the likelier one to explain a failure first


class Output:
    """The last output of one program since its handover began."""

    def __init__(self) -> None:
        self._tails: dict[str, Tail] = {}

    @property
    def is_kept(self) -> bool:
        """True between `begin` and `end`."""
        return bool(self._tails)

    def begin(self) -> None:
        """Begin to keep the output."""
        self._tails = {channel: Tail() for channel in CHANNELS}

    def add(self, channel: str, data: bytes) -> None:
        """Keep what the host has just read, between `begin` and `end` only."""
        tail = self._tails.get(channel)
        if tail:
            tail.add(data)

    @property
    def text(self) -> str:
        """The kept output of all channels."""
        return "\n".join(tail.text for tail in self._tails.values())

    def excerpts(self, old: Collection[int]) -> list[tuple[str, ...]]:
        """The excerpt of each channel, without the lines of the processes `old`."""
        return [excerpt(tail.text, old) for tail in self._tails.values()]

    def elsewhere(self) -> str:
        """Where the program writes if not through the host, "" if it does."""
        return ""

    def end(self) -> None:
        """Stop keeping the output."""
        self._tails = {}
