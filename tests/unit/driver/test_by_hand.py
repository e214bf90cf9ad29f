"""Promote and rollback of a program whose new master a USR2 by hand has made."""

from __future__ import annotations

from signal import SIGUSR2, SIGWINCH

import pytest

from unicorn_handover.model.phases import Event, Phase
from unicorn_handover.model.record import Record

from ..fake_host import FakeHost, id_of
from .history import History
from .site import Site, late_site


@pytest.fixture
def host() -> FakeHost:
    """One whose program "web" runs, with a driver that says nothing by itself."""
    host = FakeHost()
    host.old = host.start(host.web)  # type: ignore[attr-defined]
    host.presence.came()
    return host


def by_hand(host: FakeHost) -> Record:
    """Make a new master beside the program's; return the handover that a command begins."""
    host.new = host.successor(host.old)  # type: ignore[attr-defined]
    assert host.steer(host.web, "promote") == ""
    assert host.web.handovers.running
    return host.web.handovers.running


def test_a_promote_begins_where_the_hand_has_got_to(host: FakeHost) -> None:
    """With both masters known and nothing proven yet; the next restart has the next number."""
    record = by_hand(host)
    assert (record.number, record.phase, record.found) == (1, Phase.BOOTING, True)
    assert record.old == id_of(host.old) and record.new == id_of(host.new)  # type: ignore[attr-defined]
    assert record.server == "unicorn" and host.web.handovers.command == "promote"
    assert (
        host.published == [("web", 1, "booting")] and "handover 1 of web: booting" in host.lines[0]
    )
    assert host.request(host.web) == 2 and host.kernel.open_handles == 1


def test_a_rollback_begins_with_the_way_back(host: FakeHost) -> None:
    """It has failed already, by command."""
    host.successor(host.old)  # type: ignore[attr-defined]
    assert host.steer(host.web, "rollback") == ""
    record = host.web.handovers.running
    assert record and record.phase is Phase.RESTORING and record.reason == "rolled back by command"


def test_what_is_written_from_then_on_is_kept(host: FakeHost) -> None:
    """For a new release that fails although it was promoted."""
    by_hand(host)
    host.web.output.add("stderr", b"OSError: broken\n")
    host.drive(Phase.FAILED, reason="the new master ended")
    assert host.web.handovers.ended[-1].output == ("OSError: broken",)


def test_without_a_second_master_there_is_nothing_to_do(host: FakeHost) -> None:
    """Nor for a program that does not run."""
    for program in (host.web, host.api):
        assert "so there is nothing to promote" in host.steer(program, "promote")


def test_without_a_driver_nothing_begins(host: FakeHost) -> None:
    """Nobody would prove anything."""
    host.successor(host.old)  # type: ignore[attr-defined]
    host.presence.went()
    assert host.steer(host.web, "promote") == "there is no driver"
    assert host.web.handovers.running is None


def hand_made(**options: object) -> History:
    """A history in which a hand has sent USR2, and the new workers are ready."""
    history = History(**options)
    history.old.obey(SIGUSR2)
    history.system.advance_to(history.system.now + 2)
    return history


def take_up(history: History, phase: Phase, command: Event | None = None) -> Record:
    """Run a driver's part of what the host begins; return its end."""
    now = history.system.now
    record = Record("web", 1, phase, id_of(history.old), now, now, id_of(history.new), "unicorn")
    reason = "rolled back by command" if phase is Phase.RESTORING else ""
    history.begin(record.but(signalled=now, found=True, reason=reason))
    assert history.handover
    if command:
        history.handover.command(command)
    return history.run()


@pytest.mark.parametrize("soak", [0.0, 100.0])
def test_promoted(soak: float) -> None:
    """The new workers are ready, so the old master drains; a soak is not asked for any more."""
    history = hand_made(soak=soak)
    record = take_up(history, Phase.BOOTING, Event.PROMOTE)
    assert record.succeeded and not record.found and record.worker_count == 2
    assert history.signals[-1] == "QUIT old" and record.ended - record.began < 5


def test_promoted_though_it_cannot_boot() -> None:
    """It is backed out as any other release; the old master hears nothing."""
    history = History()
    history.unicorn.crashes = True
    history.old.obey(SIGUSR2)
    history.system.advance_to(history.system.now + 0.2)
    record = take_up(history, Phase.BOOTING, Event.PROMOTE)
    assert record.phase is Phase.FAILED and history.signals == ["QUIT new"]


def test_rolled_back() -> None:
    """The new master quits; the old workers are left as they are."""
    history = hand_made()
    before = {worker.pid for worker in history.unicorn.workers(history.old)}
    record = take_up(history, Phase.RESTORING)
    assert record.phase is Phase.FAILED and record.reason == "rolled back by command"
    assert history.signals == ["QUIT new"] and not record.quiesced
    assert {worker.pid for worker in history.unicorn.workers(history.old)} == before


@pytest.mark.parametrize("finishes", [0.05, 30.0])
def test_rolled_back_after_a_winch_by_hand(finishes: float) -> None:
    """As many workers as the new master has come back first, whatever the old ones still do."""
    history = hand_made()
    history.unicorn.finishes = finishes
    history.system.listening_inodes = frozenset({7})
    history.old.inodes = {7}
    history.old.obey(SIGWINCH)  # each of its workers closes its listeners
    history.system.advance_to(history.system.now + 1)
    record = take_up(history, Phase.RESTORING)
    assert record.phase is Phase.FAILED and record.quiesced and record.worker_count == 2
    assert history.signals[:2] == ["TTIN old", "TTIN old"] and "QUIT new" in history.signals
    assert len(history.unicorn.workers(history.old)) == 2


def test_a_new_master_that_is_removed_already_is_left_to_that() -> None:
    """One that came after its handover was given up; the command finds it gone."""
    site = late_site()
    site.run(2.1)
    old, new = site.unicorns["web"].masters
    assert ("QUIT", new.pid) in site.system.signals and new.alive
    _promote(site, new_id=id_of(new))
    site.run(3)
    assert not new.alive and old.alive and site.phases() == {"web": Phase.FAILED}


def _promote(site: Site, new_id: object) -> None:
    record, now = site.records["web"], site.system.now
    site.records["web"] = Record(
        "web",
        2,
        Phase.BOOTING,
        record.old,
        now,
        now,
        new_id,
        "unicorn",
        signalled=now,
        found=True,  # type: ignore[arg-type]
    )
    site.order("web", command="promote")
