"""Who serves in a soak: the new release alone, or both."""

from __future__ import annotations

import pytest

from unicorn_handover.host.handovers import Handovers
from unicorn_handover.model.phases import Event, Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import SERVERS

from ..fake_system import FakeSystem
from ..fake_unicorn import Unicorn
from .history import History


def bring_to_soak(history: History, **changes: object) -> Record:
    """Bring a history to its soak, and let the old workers end that are told to."""
    first, now = MasterId(history.old.pid, history.old.start), history.system.now
    record = Record("web", 1, Phase.REQUESTED, first, now, now)
    history.begin(record.but(**changes))
    record = history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    return record


@pytest.mark.parametrize(
    ("settings", "changed", "quiesce", "known", "alone"),
    [
        ("preload_app true", 0, "auto", False, True),
        ("preload_app true", 0, "no", False, False),
        ("preload_app false", 0, "auto", False, False),
        ("preload_app false", 0, "yes", False, True),
        # The next release's file says nothing of this master, unless that is known from before.
        ("preload_app true", 10**9, "auto", False, False),
        ("preload_app false", 10**9, "auto", True, True),
    ],
)
def test_who_serves_in_the_soak(
    settings: str, changed: int, quiesce: str, known: bool, alone: bool
) -> None:
    """Old workers are stopped only if they can come back as they were, or the operator says so."""
    history = History(soak=60.0, quiesce=quiesce)
    history.system.files["/u.rb"], history.system.changes["/u.rb"] = settings, changed
    record = bring_to_soak(history, preloaded=known)
    left = 0 if alone else history.unicorn.worker_count
    assert len(history.unicorn.workers(history.old)) == left
    assert (record.both_serve == "") is alone and bool(record.quiesced) is alone


def test_old_workers_that_served_through_the_soak_are_left_alone() -> None:
    """There is nothing to bring back, so the new master goes at once."""
    history = History(soak=60.0, quiesce="no")
    bring_to_soak(history)
    before = {worker.pid for worker in history.unicorn.workers(history.old)}
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    assert history.run().phase is Phase.FAILED
    assert history.signals == ["USR2 old", "QUIT new"]
    assert {worker.pid for worker in history.unicorn.workers(history.old)} == before


def test_a_worker_that_was_replaced_just_now_is_quiesced_as_well() -> None:
    """Its start time, in ticks of 10 ms, is that of the soak; the old release would serve on."""
    history = History(soak=60.0)
    history.at_phase[Phase.SOAKING] = lambda: history.unicorn.fork_worker(history.old, 0)
    record = history.run(Phase.SOAKING)
    assert record.both_serve == "" and history.signals == ["USR2 old", "WINCH old"]


def test_whether_the_new_master_preloads_is_noted_for_the_next_handover() -> None:
    """By then the disk may have another release."""
    assert History().run().new_preloaded
    history = History()
    history.at_phase[Phase.BOOTING] = lambda: history.system.files.update({"/u.rb": ""})
    assert not history.run().new_preloaded


@pytest.mark.parametrize(
    ("settings", "preloads"),
    [
        ("preload_app true", True),
        ("listen 80\npreload_app(true)  # fast\n# preload_app false\n", True),
        ("preload_app true\n__END__\npreload_app false", True),
        ("preload_app false", False),
        ("preload_app true\npreload_app false", False),
        ("preload_app ENV.key?('X')", False),
        ("if production\n  preload_app true\nend", False),
        ("preload_app true if production", False),
        ("=begin\npreload_app true\n=end", False),
        ("# preload_app true", False),
        ("", False),
    ],
)
def test_what_a_configuration_proves(settings: str, preloads: bool) -> None:
    """Only what ruby cannot take otherwise: the rest is not known, and so taken for a no."""
    system = FakeSystem()
    master = Unicorn(system).start()
    system.files["/u.rb"] = settings
    assert SERVERS["unicorn"].preloads(system, master.pid) is preloads  # type: ignore[arg-type]


def test_a_configuration_that_does_not_show_proves_nothing() -> None:
    """A unicorn without -c, one that is gone, and a gunicorn, which never stops its workers."""
    system = FakeSystem()
    master = Unicorn(system).start()
    master.words = ["unicorn master"]
    assert not SERVERS["unicorn"].preloads(system, master.pid)  # type: ignore[arg-type]
    assert not SERVERS["unicorn"].preloads(system, 5)  # type: ignore[arg-type]
    assert not SERVERS["gunicorn"].preloads(system, master.pid)  # type: ignore[arg-type]


def test_a_host_remembers_which_master_preloads() -> None:
    """From the handover that made it a master, and over those that failed since."""
    old, new = MasterId(10, 1), MasterId(20, 2)
    masters = {"web": old}
    handovers = Handovers("web", lambda: 1.0, lambda: masters["web"], lambda *told: None)

    def hand_over(phase: Phase, **changes: object) -> Record:
        handovers.request()
        running = handovers.running
        assert running
        handovers.report(running.but(phase=phase, **changes))
        return running

    assert not hand_over(Phase.DONE, new=new, new_preloaded=True).preloaded
    masters["web"] = new
    assert all(hand_over(Phase.FAILED, new_preloaded=False).preloaded for _ in range(20))
    masters["web"] = MasterId(20, 3)
    assert not hand_over(Phase.FAILED).preloaded


@pytest.mark.parametrize(
    ("read", "ready", "preloads"),
    [(0, True, True), (1302, True, True), (9000, True, False), (0, False, False)],
)
def test_a_worker_that_has_read_nothing(read: int, ready: bool, preloads: bool) -> None:
    """It was forked from what has the application already, whatever the file says by now.

    One that is not ready yet is about to read.
    """
    system = FakeSystem()
    unicorn = Unicorn(system, workers=0)
    master = unicorn.start()
    unicorn.fork_worker(master, 0 if ready else None)
    system.advance_to(system.now + 1)
    (worker,) = unicorn.workers(master)
    worker.read, system.files["/u.rb"] = read, "preload_app false"
    assert SERVERS["unicorn"].preloads(system, master.pid) is preloads  # type: ignore[arg-type]


def test_what_a_master_has_not_missed_yet_is_waited_for() -> None:
    """It replaces a worker that ended a moment ago, and has too many then: those are dropped."""
    history = History(soak=1000.0, quiesce="yes")
    history.unicorn.finishes, history.unicorn.reaps = 20.0, 0.2
    bring_to_soak(history)
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    record = history.run()
    assert record.phase is Phase.FAILED and "settling" in history.phases
    history.system.advance_to(history.system.now + 5)
    assert len(history.unicorn.workers(history.old)) == history.unicorn.worker_count
