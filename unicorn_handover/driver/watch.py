"""Notices that this process did not run: it was stopped, frozen with its masters, or starved."""

from __future__ import annotations

from ..model.deadlines import counted_from
from .situation import LOOK_PAUSE, Situation


class Watch:
    """The looks at one handover, which are to come at most LOOK_PAUSE apart.

    In between the facts may have had no time to become what a deadline asks for (a frozen cgroup),
    or have become it unseen (SIGSTOP to this process alone). So the time does not count, and what
    is judged by a time in which nothing came is looked at once more.
    """

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._was_late = False

    def look(self) -> None:
        """Begin a look."""
        situation, now = self._situation, self._situation.system.clock()
        missed, situation.looked = now - situation.looked - LOOK_PAUSE, now
        is_late = missed > LOOK_PAUSE
        if is_late:
            record = situation.record  # whose phase may have begun after a stop within a look
            of_phase = min(missed, now - counted_from(record))
            situation.report(unwatched=record.unwatched + of_phase)
        if is_late and not self._was_late:  # else one that is always late would never judge
            _judge_anew(situation, missed)
        self._was_late = is_late


def _judge_anew(situation: Situation, missed: float) -> None:
    if situation.workers:
        situation.workers.unsettle()
    if situation.re_exec:
        situation.re_exec.watch_anew()
    if situation.trial:
        situation.trial.extend(missed)
    if situation.check:
        situation.check.close()  # it asks again
