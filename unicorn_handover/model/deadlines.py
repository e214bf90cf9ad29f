"""When a phase has lasted too long: the driver acts on it, and the host watches the driver."""

from __future__ import annotations

import math

from .options import Options
from .phases import Phase
from .record import Record

HARD_PAUSE = 5.0  # seconds until a harder signal follows, or nothing more can be done
AT_ONCE = 1.0  # seconds for what takes none
PAUSE = 1.0  # seconds between two requests of a check
PATIENCE = 5.0  # seconds for one answer, all of it
FAILURES = 3  # so many bad answers in a row fail a check
VERDICT = FAILURES * (PATIENCE + PAUSE)  # seconds until a check has failed for sure


def deadline(record: Record, options: Options) -> float:
    """Return when the record's phase is over, in seconds of CLOCK_MONOTONIC; infinity if never."""
    since, phase = record.since, record.phase
    if phase in (Phase.RE_EXECUTING, Phase.STARTING, Phase.BOOTING):
        return record.signalled + options.boot_timeout
    if phase is Phase.SOAKING:
        extra = max(options.boot_timeout, VERDICT if options.check else 0)
        return since + options.soak + extra
    if phase in (Phase.CHECKING, Phase.ALONE, Phase.RESTORING):
        return since + options.boot_timeout
    if phase in (Phase.DRAINING, Phase.SETTLING):
        return since + options.drain_timeout
    if phase is Phase.REMOVING:
        # Ready workers may be answering requests; the others hold none.
        return since + (options.drain_timeout if record.ready else AT_ONCE)
    if phase in (Phase.FORCING, Phase.KILLING_NEW, Phase.KILLING_OLD, Phase.CONFIRMING):
        return since + HARD_PAUSE
    return math.inf
