"""The masters that outlive a killed host, remembered for the next host."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..kernel.locked_file import LockedFile
from ..kernel.system import System
from ..model.record import MasterId

BOOT_ID = "/proc/sys/kernel/random/boot_id"  # start times are those of one boot: random(4)


class Survivors:
    """Remembers the living masters of one program in a file."""

    def __init__(self, file: LockedFile, system: System) -> None:
        self._file = file
        self._system = system
        self._boot = system.text_of(BOOT_ID).strip()

    def note(self, masters: Iterable[MasterId]) -> None:
        """Remember just these masters."""
        self._file.write(json.dumps({"boot": self._boot, "masters": list(masters)}).encode())

    def living(self) -> list[MasterId]:
        """The remembered masters that still live, maybe of an earlier host."""
        return [master for master in self._noted() if self._lives(master)]

    def _noted(self) -> list[MasterId]:
        try:
            noted = json.loads(self._file.read())
            masters = [MasterId(*master) for master in noted["masters"]]
            return masters if noted["boot"] == self._boot else []
        except (ValueError, KeyError, TypeError):  # nothing was noted, or by something else
            return []

    def _lives(self, master: MasterId) -> bool:
        held = self._system.hold(*master)
        if held:
            held.close()
        return held is not None
