"""Whether the host has a driver, and whether it has been away for too long."""

from __future__ import annotations

from collections.abc import Callable

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
        self._here_since: float | None = None
        self._away_since = clock()

    def came(self) -> None:
        """Note that a driver is there."""
        self._here_since = self._clock()

    def went(self) -> None:
        """Note that no driver is there."""
        self._here_since = None
        self._away_since = self._clock()

    @property
    def is_there(self) -> bool:
        """True while a driver is there."""
        return self._here_since is not None

    def is_missed_by(self, record: Record) -> bool:
        """True if no driver has been there for DRIVER_GRACE, and that since this was asked for.

        At once if none will come.
        """
        since = max(self._away_since, record.began)
        late = self.given_up or self._clock() >= since + DRIVER_GRACE
        return self._here_since is None and late

    def passes_over(self, record: Record) -> bool:
        """True if a driver has been there for DRIVER_GRACE, and did not take this one."""
        if self._here_since is None or record.phase is not Phase.REQUESTED:
            return False
        return self._clock() >= max(self._here_since, record.since) + DRIVER_GRACE
