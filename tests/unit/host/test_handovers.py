"""One program's handovers: one running, at most one queued behind it, and what ends them."""

from __future__ import annotations

import pytest

from unicorn_handover.host.handovers import KEPT, Handovers
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

OLD, NEW = MasterId(10, 1), MasterId(20, 2)


class Site(Handovers):
    """The handovers of "web", with a clock, its master, and all that was told of them."""

    def __init__(self) -> None:
        self.now = 100.0
        self.master: MasterId | None = OLD
        self.told: list[tuple[int, str, bool]] = []
        super().__init__("web", lambda: self.now, lambda: self.master, self._tell)

    def _tell(self, record: Record, entered: bool) -> None:
        self.told.append((record.number, record.phase.value, entered))

    @property
    def newest(self) -> Record:
        """The running handover, or else the one that ended last."""
        return self.running or self.ended[-1]

    def drive(self, *phases: Phase, **fields: object) -> Record:
        """Report phases as a driver would."""
        for phase in phases:
            assert self.running
            ended = self.now if phase.final else 0.0
            self.report(self.running.but(phase=phase, since=self.now, ended=ended, **fields))
        return self.newest


@pytest.fixture
def site() -> Site:
    """A new one."""
    return Site()


def test_a_request_begins_with_the_living_master(site: Site) -> None:
    """The first handover is number 1, and of the master of that moment."""
    assert site.request() == 1
    assert site.running == Record("web", 1, Phase.REQUESTED, OLD, 100.0, 100.0)


@pytest.mark.parametrize("phase", [Phase.REQUESTED, Phase.QUEUED, Phase.CHECKING])
def test_what_has_not_begun_serves_later_callers_too(site: Site, phase: Phase) -> None:
    """Before the first signal a second request is the same handover."""
    site.request()
    site.drive(phase)
    assert site.request() == 1 and site.queued_next == 0


def test_one_that_may_have_begun_serves_no_later_caller(site: Site) -> None:
    """While the driver's last words are unread, a release could come too late for it."""
    assert site.request() == 1
    assert site.request(joins=False) == 2
    site.drive(Phase.DONE)
    assert site.running and site.running.number == 2


@pytest.mark.parametrize("asked", [1, 2, 7])
def test_exactly_one_more_is_queued(site: Site, asked: int) -> None:
    """However many ask while one runs, one more begins when it has ended, and then none."""
    site.request()
    site.drive(Phase.RE_EXECUTING)
    assert {site.request() for _ in range(asked)} == {2}
    site.master = NEW
    second = site.drive(Phase.DONE)
    assert (second.number, second.phase, second.old) == (2, Phase.REQUESTED, NEW)
    site.drive(Phase.DONE)
    assert site.running is None and site.request() == 3


def test_one_is_queued_behind_a_failure_too(site: Site) -> None:
    """The next one does not depend on how the first one ended."""
    site.request()
    site.drive(Phase.BOOTING)
    site.request()
    assert site.drive(Phase.FAILED, reason="broken").number == 2


def test_a_program_that_does_not_run(site: Site) -> None:
    """Its handover fails at once."""
    site.master = None
    record = site.find(site.request())
    assert record and record.phase is Phase.FAILED and record.reason == "it is not running"
    assert site.told == [(1, "failed", True)]


def test_foreign_records_change_nothing(site: Site) -> None:
    """A record of an older number, another master or an unknown program is not taken."""
    site.request()
    record = site.running
    assert record
    for foreign in (
        record.but(number=7, phase=Phase.DONE),
        record.but(old=NEW, phase=Phase.DONE),
        record.but(program="nosuch", phase=Phase.DONE),
    ):
        site.report(foreign)
    assert site.running == record


def test_cancel_ends_all(site: Site) -> None:
    """A stop ends what runs and forgets what was queued, with the first reason in front."""
    site.request()
    site.drive(Phase.BOOTING)
    site.request()
    site.drive(Phase.REMOVING, reason="too slow")
    site.cancel("the program was stopped")
    assert site.newest.phase is Phase.FAILED and site.newest.ended == site.now
    assert site.newest.reason == "too slow; the program was stopped"
    assert site.running is None and site.queued_next == 0
    site.cancel("again")
    assert len(site.ended) == 1


def test_adoption_ends_a_draining_handover(site: Site) -> None:
    """The driver need not be there to say so; if it is, it sees to the new master's pid file."""
    site.request()
    site.drive(Phase.BOOTING, new=NEW)
    site.adopted(MasterId(99, 9), driver_is_there=False)
    assert site.running
    site.drive(Phase.DRAINING)
    assert site.was_told_to_quit(OLD.pid)
    site.adopted(NEW, driver_is_there=True)
    assert site.running and site.running.phase is Phase.DRAINING
    site.adopted(NEW, driver_is_there=False)
    assert site.newest.succeeded and site.running is None
    assert not site.was_told_to_quit(OLD.pid)


def test_adoption_before_it_began_moves_it_to_the_new_master(site: Site) -> None:
    """A USR2 by hand before the driver looked: the handover is of the master that is there now.

    Who keeps the driver informed hears of it, but no phase was entered.
    """
    site.request()
    site.adopted(NEW, driver_is_there=True)
    assert site.newest.old == NEW and site.newest.phase is Phase.REQUESTED
    assert site.told == [(1, "requested", True), (1, "requested", False)]


def test_who_was_told_to_quit_is_remembered_after_a_failure(site: Site) -> None:
    """Until its end, a master that was told to quit is known, though the handover failed since."""
    site.request()
    assert not site.was_told_to_quit(OLD.pid)
    site.drive(Phase.DRAINING, Phase.FAILED)
    assert site.was_told_to_quit(OLD.pid) and not site.was_told_to_quit(NEW.pid)
    site.lost("gone")
    assert not site.was_told_to_quit(OLD.pid)


def test_a_new_master_that_was_told_to_quit_and_is_adopted_is_remembered(site: Site) -> None:
    """If the old one dies in a backing out, the host must start the program when this one ends."""
    site.request()
    site.drive(Phase.REMOVING, new=NEW, reason="too slow")
    assert site.was_told_to_quit(NEW.pid)
    site.adopted(NEW, driver_is_there=True)
    assert site.was_told_to_quit(NEW.pid)
    site.drive(Phase.FAILED)
    assert site.was_told_to_quit(NEW.pid)


def test_a_new_master_is_known_beyond_the_end_of_its_handover(site: Site) -> None:
    """The driver may see the old master die, and end it so, before the host has seen that."""
    site.request()
    site.drive(Phase.BOOTING)
    site.request()
    site.drive(Phase.REMOVING, new=NEW, reason="rolled back")
    assert site.new_master_of(OLD.pid) == NEW and site.new_master_of(99) is None
    site.drive(Phase.FAILED, new=NEW, reason="the old master ended")
    assert site.running and site.new_master_of(OLD.pid) == NEW


def test_only_the_last_ends_are_kept(site: Site) -> None:
    """The history is bounded, and numbers go on."""
    for number in range(1, KEPT + 5):
        assert site.request() == number
        site.drive(Phase.DONE)
    assert [record.number for record in site.ended] == list(range(5, KEPT + 5))
    assert site.find(4) is None and site.find(5)


@pytest.mark.parametrize("command", ["rollback", "promote"])
def test_a_command_needs_a_handover(site: Site, command: str) -> None:
    """With nothing running, or past the point of no return, the operator is told so."""
    assert "nothing to" in site.steer(command, True)
    site.request()
    site.drive(Phase.DRAINING)
    assert "draining already, so it is too late" in site.steer(command, True)
    assert site.command == ""


def test_a_rollback_cancels_what_was_queued(site: Site) -> None:
    """Who rolls back does not want another try."""
    site.request()
    site.drive(Phase.SOAKING)
    site.request()
    assert site.steer("rollback", True) == ""
    assert site.queued_next == 0 and site.command == "rollback"


def test_a_rollback_before_it_began(site: Site) -> None:
    """It ends at once if no driver is there; one that is may have begun, and is asked."""
    site.request()
    assert site.steer("rollback", True) == ""
    assert site.running and site.command == "rollback"
    assert site.steer("rollback", False) == ""
    assert site.newest.phase is Phase.FAILED and "rolled back" in site.newest.reason


def test_changes_are_counted_and_each_phase_is_entered_once(site: Site) -> None:
    """Who watches can tell that something changed, and a log can tell each phase once."""
    seen = [site.changes]
    site.request()
    for phase in (Phase.CHECKING, Phase.BOOTING, Phase.BOOTING, Phase.DONE):
        seen.append(site.changes)
        site.drive(phase)
    assert [*seen, site.changes] == list(range(6))
    assert [phase for _, phase, entered in site.told if entered] == [
        "requested", "checking", "booting", "done",
    ]  # fmt: skip
