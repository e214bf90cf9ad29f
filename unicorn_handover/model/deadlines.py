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
BOOT = (Phase.RE_EXECUTING, Phase.STARTING, Phase.BOOTING)  # which share one boot_timeout


def counted_from(record: Record) -> float:
    """Return from when the time of the record's phase counts, in seconds of CLOCK_MONOTONIC."""
    began = record.signalled if record.phase in BOOT else record.since
    return began + record.unwatched


def soaked(record: Record, options: Options) -> float:
    """Return when the record's soak has lasted long enough, in seconds of CLOCK_MONOTONIC."""
    return counted_from(record) + options.soak


def deadline(record: Record, options: Options) -> float:
    """Return when the record's phase is over, in seconds of CLOCK_MONOTONIC; infinity if never."""
    since, phase = counted_from(record), record.phase
    if phase is Phase.SOAKING:
        return soaked(record, options) + max(options.boot_timeout, VERDICT if options.check else 0)
    if phase in (*BOOT, Phase.CHECKING, Phase.ALONE, Phase.RESTORING):
        return since + options.boot_timeout
    if phase in (Phase.DRAINING, Phase.SETTLING):
        return since + options.drain_timeout
    if phase is Phase.REMOVING:
        # Ready workers may be answering requests; the others hold none.
        return since + (options.drain_timeout if record.ready else AT_ONCE)
    if phase in (Phase.FORCING, Phase.KILLING_NEW, Phase.KILLING_OLD, Phase.CONFIRMING):
        return since + HARD_PAUSE
    return math.inf
