"""Whether the host has a driver, and whether it has been away for too long."""

from __future__ import annotations

from collections.abc import Callable

from ..model.deadlines import counted_from, deadline
from ..model.options import Options
from ..model.phases import Phase
from ..model.record import Record

DRIVER_GRACE = 15.0  # seconds a driver may be away before callers get an error


class Presence:
    """When the driver came or went; `clock` gives seconds of CLOCK_MONOTONIC.

    given_up: whether the host has tried to start a driver in vain and tries no more.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.given_up = False
        self._clock = clock
        self._heard_at: float | None = None
        self._away_since = clock()

    def uncounted(self, record: Record, options: Options) -> Record:
        """Return a record in which the time without a driver counts for no deadline.

        A driver that had let the deadline pass was stuck, nobody knows since when: then the phase
        has all of its time anew.
        """
        begun = counted_from(record)
        was_stuck = self._away_since >= deadline(record, options) + DRIVER_GRACE
        since = begun if was_stuck else max(begun, self._away_since)
        return record.but(unwatched=record.unwatched + self._clock() - since)

    def came(self) -> None:
        """Note that a driver is there."""
        self._heard_at = self._clock()

    def heard(self) -> None:
        """Note that the driver has said something: it is busy at least with other programs."""
        if self._heard_at is not None:
            self._heard_at = self._clock()

    def went(self) -> None:
        """Note that no driver is there."""
        self._heard_at = None
        self._away_since = self._clock()

    @property
    def is_there(self) -> bool:
        """True while a driver is there."""
        return self._heard_at is not None

    def is_missed_by(self, record: Record) -> bool:
        """True if no driver has been there for DRIVER_GRACE, and that since this was asked for.

        At once if none will come.
        """
        since = max(self._away_since, record.began)
        late = self.given_up or self._clock() >= since + DRIVER_GRACE
        return self._heard_at is None and late

    def passes_over(self, record: Record) -> bool:
        """True if a driver is there, has said nothing for DRIVER_GRACE, and did not take this one.

        One that takes a hundred programs, on a machine that boots them all, is long about it.
        """
        if self._heard_at is None or record.phase is not Phase.REQUESTED:
            return False
        return self._clock() >= max(self._heard_at, record.since) + DRIVER_GRACE
