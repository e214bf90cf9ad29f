"""The processes that a program's dead masters left behind, polled on the host's loop."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..family.orphans import Orphans
from ..kernel.process import Process
from ..kernel.system import System
from ..model.record import MasterId
from .guard import contained
from .loop import Loop
from .timer import Timer

PAUSE = 0.1  # seconds between polls of orphans: what they exec wakes nobody
HOPELESS = 5.0  # seconds between polls of those that were killed and yet live


class MindedOrphans(Orphans):
    """The orphans of one program, polled by one timer for as long as there are any.

    `failed` takes a line about an error of ours. `minded` is called after each poll.
    """

    def __init__(
        self,
        system: System,
        loop: Loop,
        log: Callable[[str], None],
        failed: Callable[[str], None],
        minded: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(system, log)
        self._minded = minded
        self.failed = failed
        self._timer = Timer(loop)

    def keep(self, left: list[Process], patience: float) -> None:
        """Add the processes that `left_in` held; they are killed after `patience` seconds."""
        super().keep(left, patience)
        self._look()

    @contained()
    def recall(self, ids: Collection[MasterId], patience: float) -> None:
        """Add those that an earlier host has held, by their pids and start times."""
        self.keep(self.held_before(ids), patience)

    @contained(False)
    def mind(self) -> bool:
        """Kill orphans that exec'd or outlived the drain timeout. Return True while any remain."""
        return super().mind()

    @contained()
    def kill(self) -> None:
        """End all that are left, now."""
        super().kill()

    def release(self) -> None:
        """Stop polling, and close the descriptors."""
        self._timer.stop()
        super().release()

    def _look(self) -> None:
        self._timer.stop()
        remain = self.mind()
        self._minded()
        if remain:
            self._timer.start(HOPELESS if self.hopeless else PAUSE, self._look)
