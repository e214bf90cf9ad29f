"""A handover of a good release: each phase once, and no signal too many."""

from __future__ import annotations

import pytest

from unicorn_handover.model.phases import Phase
from unicorn_handover.servers import SERVERS

from ..fake_process import Fake
from .history import History


def test_a_good_release_takes_over() -> None:
    """USR2, readiness, QUIT: each phase once, and no other signal to anybody."""
    history = History()
    record = history.run()
    assert record.phase is Phase.DONE and record.succeeded and record.reason == ""
    assert history.phases == ["checking", "re-executing", "booting", "draining", "done"]
    assert history.signals == ["USR2 old", "QUIT old"]
    assert history.system.signals == [("USR2", history.old.pid), ("QUIT", history.old.pid)]
    assert record.new == (history.new.pid, history.new.start) and record.server == "unicorn"
    assert (record.worker_count, record.ready, record.total) == (2, 2, 2)
    assert record.began <= record.signalled <= record.ended == record.since


def test_a_record_is_given_away_before_it_is_acted_upon() -> None:
    """When USR2 and QUIT are sent, the host knows of the phase that sends them."""
    history = History()
    seen: list[tuple[str, str]] = []
    obey = history.old.obey
    history.old.obey = lambda number: (
        seen.append((number.name, history.reports[-1].phase.value)),
        obey(number),
    )[1]
    history.run()
    assert seen == [("SIGUSR2", "re-executing"), ("SIGQUIT", "draining")]


def test_handles_are_given_back() -> None:
    """After the end no pidfd is left open."""
    for soak in (0.0, 2.0):
        history = History(soak=soak)
        history.run()
        assert history.handover
        history.handover.close()
        assert history.system.open_handles == 0


def test_a_server_that_does_not_show_when_it_has_forked_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A release with more workers is not taken as whole while they are still being forked."""
    monkeypatch.setattr(SERVERS["unicorn"], "all_forked", lambda system, pid: None)
    history = History()
    fork = history.unicorn.fork_worker

    def fork_six(master: Fake) -> None:
        for number in range(6):
            history.system.later(0.15 * number, lambda: fork(master, 0.01))

    history.unicorn.fork_workers = fork_six  # type: ignore[method-assign]
    record = history.run()
    assert record.succeeded and record.ready == 6


def test_an_exit_between_a_step_and_the_wait_is_not_missed() -> None:
    """A master that dies after it was looked at is still waited for, and only until it is seen."""
    history = History()
    history.run(until=Phase.BOOTING)
    assert history.handover
    history.handover.step()
    history.system.end(history.new)
    assert history.new.pid in list(history.handover.descriptors())
    history.handover.step()
    assert history.new.pid not in list(history.handover.descriptors())
