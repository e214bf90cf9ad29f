"""The host's event loop, as the engine uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Call = Callable[[], None]


class Loop(Protocol):
    """A host's own loop. Each `call` is made by the loop, never by the method that takes it."""

    def watch(self, descriptor: int, call: Call) -> None:
        """Call at each turn in which the descriptor can be read, until `unwatch`."""

    def unwatch(self, descriptor: int) -> None:
        """Stop watching a descriptor, for reading and writing; to be called before it is closed."""

    def when_writable(self, descriptor: int, call: Call) -> None:
        """Call once, as soon as a watched descriptor can be written."""

    def after(self, seconds: float, call: Call) -> Call:
        """Call once, after so many seconds. Returns a function that cancels the call.

        A host's turn may last, on Supervisor for a second.
        """
