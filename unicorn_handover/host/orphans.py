"""What dead masters of a program left behind, looked at by the host's loop."""

from __future__ import annotations

from collections.abc import Callable

from ..family.orphans import Orphans
from ..kernel.process import Process
from ..kernel.system import System
from .guard import contained
from .loop import Call, Loop

PAUSE = 0.1  # seconds between polls of orphans: what they exec wakes nobody
HOPELESS = 5.0  # seconds between polls of those that were killed and yet live


class MindedOrphans(Orphans):
    """Those of one program, minded for as long as there are any, by one timer.

    `failed` takes a line about an error of ours.
    """

    def __init__(
        self,
        system: System,
        loop: Loop,
        log: Callable[[str], None],
        failed: Callable[[str], None],
    ) -> None:
        super().__init__(system, log)
        self.failed = failed
        self._loop = loop
        self._cancel: Call | None = None

    def keep(self, left: list[Process], patience: float) -> None:
        """Look after what `left_in` held; after `patience` seconds it is ended."""
        super().keep(left, patience)
        self._look()

    @contained(False)
    def mind(self) -> bool:
        """Kill orphans that exec'd or outlived the drain timeout. Return True while any remain."""
        return super().mind()

    @contained()
    def kill(self) -> None:
        """End all that are left, now."""
        super().kill()

    def release(self) -> None:
        """Look no more, and give the descriptors back."""
        self._stop()
        super().release()

    def _look(self) -> None:
        self._stop()
        if self.mind():
            pause = HOPELESS if self.hopeless else PAUSE
            self._cancel = self._loop.after(pause, self._look)

    def _stop(self) -> None:
        cancel, self._cancel = self._cancel, None
        if cancel:
            cancel()
