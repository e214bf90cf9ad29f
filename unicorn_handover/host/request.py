"""One caller's restart: it waits to be accepted, then for the end of its handover."""

from __future__ import annotations

from typing import Any

from ..model.record import Record
from ..progress import struct
from .program import Program
from .side import HostSide

ACCEPTING = 2.0  # seconds a caller who does not wait is held for the driver's pre-flight checks


class Request:
    """A handover as its caller sees it at each `poll`; without a `number` one is asked for.

    number: the handover's. record: the handover, None while it is queued behind another one.
    reason: why it failed, or never comes, or is not driven; "" while nothing is wrong.
    """

    def __init__(self, side: HostSide, program: Program, number: int | None = None) -> None:
        self.program = program
        self.number = side.request(program) if number is None else number
        self.record: Record | None = None
        self.reason = ""
        self._side = side
        self._asked = side.system.clock()
        self.poll()

    def poll(self) -> None:
        """Update the state; nothing changes any more after the end."""
        if self.has_ended:
            return
        handovers = self.program.handovers
        self.record = record = handovers.find(self.number)
        if record and record.phase.final:
            self.reason = "" if record.succeeded else record.reason
        else:
            self.reason = handovers.why_none(self.number) or self._side.driverless(self.program)

    @property
    def has_ended(self) -> bool:
        """True once the restart has ended."""
        return bool(self.reason) or (self.record is not None and self.record.phase.final)

    @property
    def is_accepted(self) -> bool:
        """True once nothing speaks against its first signal, or it waits behind another handover.

        And once ACCEPTING is over: a caller who does not wait is not held for longer.
        """
        late = self._side.system.clock() >= self._asked + ACCEPTING
        return late or self.record is None or self.record.phase.traits.accepted

    def is_over(self, wait: bool) -> bool:
        """True once its caller is to be answered, who waits for its end or not."""
        return self.has_ended or (self.is_accepted and not wait)

    def outcome(self) -> dict[str, Any]:
        """What has become of it, in plain types.

        `ended`: the handover, once it has ended. `reason`: see there. `running`: the program's
        handover that runs now, this one or another.
        """
        record, running = self.record, self.program.handovers.running
        now = self._side.system.clock()
        return {
            "ended": struct(record, now) if record and record.phase.final else {},
            "reason": self.reason,
            "running": struct(running, now) if running else {},
        }
