"""The handover as a state machine: which phase follows which, and why one fails. No I/O, no clock.

    checking -> re-executing -> booting -> [soaking ->] draining -> [confirming ->] done
        |                       ^  |           |
        +-----> starting -------+  |           |
                                   |       restoring
                                   |           |
                                   +------> removing -> [settling ->] failed

Each phase has one thing that is done when it is entered (driver/act.py), and may be done again: a
driver that follows one that died enters the phase that it finds a second time.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Phase(enum.Enum):
    """Where a handover is. The values are what operators and other programs see."""

    REQUESTED = "requested"  # accepted by the host, not yet taken by the driver
    QUEUED = "queued"  # waits for others to end (max_handovers), or for a late new master to go
    CHECKING = "checking"  # waiting for a starting master; then the pre-flight checks
    RE_EXECUTING = "re-executing"  # USR2 sent to the old master
    STARTING = "starting"  # the host is to start the new master, on the old one's sockets
    BOOTING = "booting"  # the new master is known, its workers are not all ready
    ALONE = "alone"  # the old master is already gone: there is no way back
    SOAKING = "soaking"  # the new release serves, the old master is kept as the way back
    RESTORING = "restoring"  # bringing the old master's workers back
    REMOVING = "removing"  # the new master got the graceful signal
    KILLING_NEW = "killing-new"  # the new master did not quit in time
    SETTLING = "settling"  # the new master is gone; old workers that quit finish their requests
    DRAINING = "draining"  # the old master got the graceful signal and finishes its requests
    FORCING = "forcing"  # it did not quit in time and got the quick signal, which cuts requests
    KILLING_OLD = "killing-old"  # nor did that help
    CONFIRMING = "confirming"  # it is gone, and the new one is taking its pid file
    DONE = "done"  # one master is left: the new one
    FAILED = "failed"  # one master is left: the old one, unless the reason says otherwise

    @property
    def final(self) -> bool:
        """True if nothing follows."""
        return self in (Phase.DONE, Phase.FAILED)

    @property
    def traits(self) -> Traits:
        """What else is true of this phase."""
        return TRAITS[self]


class Traits(NamedTuple):
    """What is true of a handover in one phase.

    accepted: the driver has checked it, or it waits behind one that the driver runs.
    begun: the new master may be there, so a second caller needs a handover of its own.
    decided: it is too late to roll back or to promote.
    quits: the master that got the graceful signal, "old" or "new".
    warns: worth a warning in the host's log.
    pause: seconds between two polls of facts that cause no wake-up; None if all of them do.
    """

    accepted: bool = True
    begun: bool = True
    decided: bool = True
    quits: str = ""
    warns: bool = False
    pause: float | None = None


POLL_PAUSE = 0.05  # seconds between polls of workers: masks change without waking anyone
SEARCH_PAUSE = 0.01  # seconds between searches for the new master

TRAITS = {
    Phase.REQUESTED: Traits(accepted=False, begun=False, decided=False),
    Phase.QUEUED: Traits(begun=False, decided=False),
    Phase.CHECKING: Traits(accepted=False, begun=False, decided=False, pause=POLL_PAUSE),
    Phase.RE_EXECUTING: Traits(decided=False, pause=SEARCH_PAUSE),
    Phase.STARTING: Traits(decided=False),
    Phase.BOOTING: Traits(decided=False, pause=POLL_PAUSE),
    Phase.ALONE: Traits(pause=POLL_PAUSE),
    Phase.SOAKING: Traits(decided=False, pause=4 * POLL_PAUSE),
    Phase.RESTORING: Traits(),
    Phase.REMOVING: Traits(quits="new"),
    Phase.KILLING_NEW: Traits(quits="new", warns=True),
    Phase.SETTLING: Traits(),
    Phase.DRAINING: Traits(quits="old"),
    Phase.FORCING: Traits(quits="old", warns=True),
    Phase.KILLING_OLD: Traits(quits="old", warns=True),
    Phase.CONFIRMING: Traits(pause=POLL_PAUSE),
    Phase.DONE: Traits(),
    Phase.FAILED: Traits(warns=True),
}


class Event(enum.Enum):
    """Observed facts. Events are levels, not edges: what is true stays true."""

    BOTH_GONE = enum.auto()
    TAKEN_OVER = enum.auto()  # the old master is gone, and the new one has all that it had
    OLD_GONE = enum.auto()
    NEW_GONE = enum.auto()
    ROLLBACK = enum.auto()  # the operator's command
    PROMOTE = enum.auto()  # the operator's command: end the soak now
    PASSED = enum.auto()  # everything checked before the first signal is well
    TO_SPAWN = enum.auto()  # the same, and the host is to start the new master itself
    REFUSED = enum.auto()
    NEW_FOUND = enum.auto()
    RE_EXEC_FAILED = enum.auto()  # the old master forked a child that ended before it exec'd
    RE_EXEC_REFUSED = enum.auto()  # it has taken USR2 and forked nothing
    PROVEN = enum.auto()  # every new worker is ready, and nothing more is asked for
    READY = enum.auto()  # every new worker is ready, and a soak or a check is asked for
    DYING = enum.auto()  # the new master's workers keep dying
    CHECK_FAILED = enum.auto()
    OLD_READY = enum.auto()  # as many workers of the old master as before are ready
    UNSETTLED = enum.auto()  # the new master is gone, and the old one has workers that are to end
    SETTLED = enum.auto()  # the old master has the workers that it had, and no others
    WORKERS_LOST = enum.auto()  # they are not back in time, and the new master is gone
    TIMEOUT = enum.auto()  # of the phase


class Move(NamedTuple):
    """A cell of the table: the next phase, and the reason, if this is where the handover fails."""

    phase: Phase
    reason: str = ""


ROLLED_BACK = "rolled back by command"
FALLEN = "the new master ended when it took the place of the old one"
NEVER_BEGAN = "rolled back by command before it began"
CHECK_FAILED = "the check failed"
UNCHECKED = "the check had no good answer"
_OLD_GONE = "the old master ended"
_NEW_GONE = "the new master ended"
_DYING = "the new master's workers keep dying"
BOTH_ENDED = f"{_NEW_GONE} after the old one was told to quit"

_MOVES: dict[Phase, dict[Event, Move]] = {
    Phase.REQUESTED: {},
    Phase.QUEUED: {},
    Phase.CHECKING: {
        Event.PASSED: Move(Phase.RE_EXECUTING),
        Event.TO_SPAWN: Move(Phase.STARTING),
        Event.REFUSED: Move(Phase.FAILED, "refused"),
        Event.OLD_GONE: Move(Phase.FAILED, f"{_OLD_GONE} before the handover began"),
        Event.ROLLBACK: Move(Phase.FAILED, NEVER_BEGAN),
        Event.TIMEOUT: Move(Phase.FAILED, "the old master was still starting"),
    },
    Phase.RE_EXECUTING: {
        Event.NEW_FOUND: Move(Phase.BOOTING),
        Event.RE_EXEC_FAILED: Move(Phase.FAILED, "the old master could not re-execute itself"),
        Event.RE_EXEC_REFUSED: Move(
            Phase.FAILED, "the old master took USR2 and did not re-execute itself"
        ),
        Event.OLD_GONE: Move(Phase.FAILED, f"{_OLD_GONE} before a new one was seen"),
        Event.TIMEOUT: Move(Phase.FAILED, "no new master appeared in time"),
    },
    # If the old master ends here, the host knows whether it has started a new one: it says which,
    # or cancels the handover. It names the new one before it passes a command to roll back on.
    Phase.STARTING: {
        Event.NEW_FOUND: Move(Phase.BOOTING),
        Event.NEW_GONE: Move(Phase.FAILED, f"{_NEW_GONE} before its workers were ready"),
        Event.TIMEOUT: Move(Phase.FAILED, "no new master was started in time"),
    },
    Phase.BOOTING: {
        Event.PROVEN: Move(Phase.DRAINING),
        Event.READY: Move(Phase.SOAKING),
        Event.NEW_GONE: Move(Phase.FAILED, f"{_NEW_GONE} before its workers were ready"),
        Event.OLD_GONE: Move(Phase.ALONE),
        Event.DYING: Move(
            Phase.REMOVING, "the new master's workers keep dying before they are ready"
        ),
        Event.TIMEOUT: Move(Phase.REMOVING, "the new workers were not ready in time"),
        Event.ROLLBACK: Move(Phase.REMOVING, ROLLED_BACK),
    },
    Phase.ALONE: {
        Event.PROVEN: Move(Phase.CONFIRMING),
        Event.READY: Move(Phase.CONFIRMING),
        Event.NEW_GONE: Move(Phase.FAILED, "both masters ended while the new one was booting"),
        Event.DYING: Move(Phase.FAILED, f"{_DYING}, and the old master has ended"),
        Event.TIMEOUT: Move(
            Phase.FAILED, "the new workers were not ready in time, and the old master has ended"
        ),
    },
    Phase.SOAKING: {
        Event.PROVEN: Move(Phase.DRAINING),
        Event.PROMOTE: Move(Phase.DRAINING),
        Event.OLD_GONE: Move(Phase.ALONE),
        Event.NEW_GONE: Move(Phase.RESTORING, f"{_NEW_GONE} in the soak"),
        Event.DYING: Move(Phase.RESTORING, f"{_DYING} in the soak"),
        Event.CHECK_FAILED: Move(Phase.RESTORING, CHECK_FAILED),
        Event.TIMEOUT: Move(Phase.RESTORING, "the new workers were not ready after the soak"),
        Event.ROLLBACK: Move(Phase.RESTORING, ROLLED_BACK),
    },
    Phase.RESTORING: {
        Event.OLD_READY: Move(Phase.REMOVING),
        Event.OLD_GONE: Move(Phase.FAILED, f"{_OLD_GONE} while its workers were brought back"),
        # Nobody serves, but the old master goes on starting workers.
        Event.WORKERS_LOST: Move(Phase.FAILED, "the old workers did not come back"),
        # The old master cannot serve any more: what serves is the new one, sick or not.
        Event.TIMEOUT: Move(
            Phase.DRAINING, "the old workers did not come back, so the new master stays"
        ),
    },
    Phase.REMOVING: {
        Event.UNSETTLED: Move(Phase.SETTLING),
        Event.NEW_GONE: Move(Phase.FAILED),
        Event.OLD_GONE: Move(Phase.FAILED, f"{_OLD_GONE} while the new one was removed"),
        Event.TIMEOUT: Move(Phase.KILLING_NEW),
    },
    # What is killed and lives waits in the kernel, mostly for a disk that does not answer.
    Phase.KILLING_NEW: {
        Event.UNSETTLED: Move(Phase.SETTLING),
        Event.NEW_GONE: Move(Phase.FAILED),
        Event.OLD_GONE: Move(Phase.FAILED, f"{_OLD_GONE} while the new one was removed"),
        Event.TIMEOUT: Move(Phase.FAILED),
    },
    Phase.SETTLING: {
        Event.SETTLED: Move(Phase.FAILED),
        Event.OLD_GONE: Move(Phase.FAILED, f"{_OLD_GONE} after the new one was removed"),
        Event.TIMEOUT: Move(Phase.FAILED),
    },
    # If the new master ends in one of these, the old one goes on with its last requests, in its
    # time. The host starts the program again when that has ended, too.
    Phase.DRAINING: {
        Event.BOTH_GONE: Move(Phase.FAILED, BOTH_ENDED),
        Event.TAKEN_OVER: Move(Phase.DONE),
        Event.OLD_GONE: Move(Phase.CONFIRMING),
        Event.TIMEOUT: Move(Phase.FORCING),
    },
    Phase.FORCING: {
        Event.BOTH_GONE: Move(Phase.FAILED, BOTH_ENDED),
        Event.TAKEN_OVER: Move(Phase.DONE),
        Event.OLD_GONE: Move(Phase.CONFIRMING),
        Event.TIMEOUT: Move(Phase.KILLING_OLD),
    },
    Phase.KILLING_OLD: {
        Event.BOTH_GONE: Move(Phase.FAILED, BOTH_ENDED),
        Event.TAKEN_OVER: Move(Phase.DONE),
        Event.OLD_GONE: Move(Phase.CONFIRMING),
        Event.TIMEOUT: Move(Phase.FAILED, "the old master was killed and does not end"),
    },
    Phase.CONFIRMING: {
        Event.TAKEN_OVER: Move(Phase.DONE),
        Event.NEW_GONE: Move(Phase.FAILED, FALLEN),
        # It serves. What is said of its pid file is wrong, or it writes it later than any.
        Event.TIMEOUT: Move(Phase.DONE),
    },
    Phase.DONE: {},
    Phase.FAILED: {},
}

TABLE: dict[Phase, dict[Event, Move]] = {
    phase: {event: _MOVES[phase].get(event, Move(phase)) for event in Event} for phase in Phase
}
"""Every phase x every event. A cell that names its own phase means: that changes nothing here."""


def matters(phase: Phase, event: Event) -> bool:
    """True if this event ends this phase."""
    return TABLE[phase][event].phase is not phase


def explains_itself(reason: str) -> bool:
    """True if a handover that failed for this reason needs no line of the program's output."""
    return reason.startswith((CHECK_FAILED, UNCHECKED, ROLLED_BACK))
