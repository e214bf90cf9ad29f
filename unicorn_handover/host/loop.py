"""The event loop that a host lends to everything of ours that waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Call = Callable[[], None]


class Loop(Protocol):
    """A host's own loop. Each `call` is made by the loop, never by the method that takes it."""

    def watch(self, descriptor: int, call: Call) -> None:
        """Call at each turn in which the descriptor can be read, until `unwatch`."""

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more, for reading or writing; to be called before it is closed."""

    def when_writable(self, descriptor: int, call: Call) -> None:
        """Call once, as soon as a watched descriptor can be written."""

    def after(self, seconds: float, call: Call) -> Call:
        """Call once, when so many seconds have passed. Returns what cancels that.

        A host's turn may last, on Supervisor for a second.
        """
