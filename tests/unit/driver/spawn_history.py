"""A history of a handover whose new master the host starts itself."""

from __future__ import annotations

from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

from ..fake_process import Fake
from .history import History

SOCKETS = ("/run/web.sock",)


class SpawnHistory(History):
    """The host starts a master when it is told to, and says which, unless it is `mute`."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.spawned: list[Fake] = []
        self.mute = False
        self.at_phase[Phase.STARTING] = self._spawn

    def begin(self, record: Record | None = None) -> None:
        """With what the host wants."""
        now, old = self.system.now, MasterId(self.old.pid, self.old.start)
        why = "the command was changed"
        wanted = Record("web", 1, Phase.REQUESTED, old, now, now, method="spawn", why=why)
        super().begin(record or wanted)

    def _spawn(self) -> None:
        self.spawned.append(self.unicorn.spawn())
        if not self.mute:
            self.system.later(0.01, self.name_new)

    def host_record(self) -> Record:
        """The record as the host has it: the last one, with what it has started."""
        new = self.spawned[0]
        return self.reports[-1].but(new=MasterId(new.pid, new.start), sockets=SOCKETS)

    def name_new(self) -> None:
        """Say which master was started."""
        assert self.handover
        self.handover.named(self.host_record())
