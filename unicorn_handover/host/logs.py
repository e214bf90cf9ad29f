"""What a program writes through its host, as far as a failed handover may need it."""

from __future__ import annotations

from collections.abc import Collection

from ..model.excerpt import Tail, excerpt

CHANNELS = ("stderr", "stdout")  # in the order in which they are likely to tell


class Output:
    """The end of what one program wrote since its handover began, whatever becomes of it then."""

    def __init__(self) -> None:
        self._tails: dict[str, Tail] = {}

    @property
    def is_kept(self) -> bool:
        """True between `begin` and `end`."""
        return bool(self._tails)

    def begin(self) -> None:
        """Begin to listen."""
        self._tails = {channel: Tail() for channel in CHANNELS}

    def add(self, channel: str, data: bytes) -> None:
        """Take what the host has just read; most of the time nobody listens."""
        tail = self._tails.get(channel)
        if tail:
            tail.add(data)

    @property
    def text(self) -> str:
        """What is kept of all channels."""
        return "\n".join(tail.text for tail in self._tails.values())

    def excerpts(self, old: Collection[int]) -> list[tuple[str, ...]]:
        """What others than the processes `old` wrote, as an excerpt of each channel."""
        return [excerpt(tail.text, old) for tail in self._tails.values()]

    def elsewhere(self) -> str:
        """Where the program writes if not through the host, "" if it does."""
        return ""

    def end(self) -> None:
        """Listen no more."""
        self._tails = {}
