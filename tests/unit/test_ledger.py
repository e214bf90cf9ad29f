"""The host's ledger: one handover running, at most one to follow, and what callers are told."""

from __future__ import annotations

import pytest

from unicorn_handover.host.handovers import DRIVER_GRACE, KEPT, Ledger
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

OLD, NEW = MasterId(10, 1), MasterId(20, 2)


class Host:
    """A ledger with a clock, the masters of its programs, and all that it told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.masters: dict[str, MasterId] = {"web": OLD, "api": MasterId(11, 1)}
        self.told: list[tuple[str, int, str]] = []
        self.ledger = Ledger(lambda: self.now, self.masters.get, self._changed)
        self.ledger.driver_came()

    def _changed(self, record: Record) -> None:
        self.told.append((record.program, record.number, record.phase.value))

    def last(self, program: str) -> Record | None:
        """The running handover, or else the one that ended last."""
        page = self.ledger.page(program)
        return page.running or (page.ended[-1] if page.ended else None)

    def drive(self, *phases: Phase, program: str = "web", **fields: object) -> Record:
        """Report phases as a driver would."""
        for phase in phases:
            running = self.ledger.page(program).running
            assert running
            ended = self.now if phase.final else 0.0
            self.ledger.report(running.but(phase=phase, since=self.now, ended=ended, **fields))
        last = self.last(program)
        assert last
        return last


def test_a_request_begins_with_the_living_master() -> None:
    """The first handover is number 1, and of the master of that moment."""
    host = Host()
    assert host.ledger.request("web") == 1
    (record,) = host.ledger.running()
    assert record == Record("web", 1, Phase.REQUESTED, OLD, 100.0, 100.0)


@pytest.mark.parametrize("phase", [Phase.REQUESTED, Phase.QUEUED, Phase.CHECKING])
def test_what_has_not_begun_serves_later_callers_too(phase: Phase) -> None:
    """Before the first signal a second request is the same handover."""
    host = Host()
    host.ledger.request("web")
    host.drive(phase)
    assert host.ledger.request("web") == 1 and host.ledger.page("web").following == 0


def test_one_that_may_have_begun_serves_no_later_caller() -> None:
    """While the driver's last words are unread, a release could come too late for it."""
    host = Host()
    assert host.ledger.request("web") == 1
    assert host.ledger.request("web", joins=False) == 2
    host.drive(Phase.DONE)
    assert [record.number for record in host.ledger.running()] == [2]


@pytest.mark.parametrize("asked", [1, 2, 7])
def test_exactly_one_more_follows(asked: int) -> None:
    """However many ask while one runs, one more begins when it has ended, and then none."""
    host = Host()
    host.ledger.request("web")
    host.drive(Phase.RE_EXECUTING)
    assert {host.ledger.request("web") for _ in range(asked)} == {2}
    host.masters["web"] = NEW
    host.drive(Phase.DONE)
    (record,) = host.ledger.running()
    assert (record.number, record.phase, record.old) == (2, Phase.REQUESTED, NEW)
    host.drive(Phase.DONE)
    assert host.ledger.running() == [] and host.ledger.request("web") == 3


def test_a_failed_one_is_followed_too() -> None:
    """The one that follows does not depend on how the first one ended."""
    host = Host()
    host.ledger.request("web")
    host.drive(Phase.BOOTING)
    host.ledger.request("web")
    host.drive(Phase.FAILED, reason="broken")
    assert [r.number for r in host.ledger.running()] == [2]


def test_programs_do_not_share_pages() -> None:
    """Each program counts for itself."""
    host = Host()
    assert host.ledger.request("web") == host.ledger.request("api") == 1
    assert {record.program for record in host.ledger.running()} == {"web", "api"}


def test_a_program_that_does_not_run() -> None:
    """Its handover fails at once."""
    host = Host()
    del host.masters["web"]
    number = host.ledger.request("web")
    record = host.ledger.find("web", number)
    assert record and record.phase is Phase.FAILED and record.reason == "it is not running"
    assert host.told == [("web", 1, "failed")]


def test_foreign_records_change_nothing() -> None:
    """A record of an older number, another master or an unknown program is not taken."""
    host = Host()
    host.ledger.request("web")
    (record,) = host.ledger.running()
    for foreign in (
        record.but(number=7, phase=Phase.DONE),
        record.but(old=NEW, phase=Phase.DONE),
        record.but(program="nosuch", phase=Phase.DONE),
    ):
        host.ledger.report(foreign)
    assert host.ledger.running() == [record]


def test_cancel_ends_all_of_a_program() -> None:
    """A stop ends what runs and forgets what was to follow, with the first reason in front."""
    host = Host()
    host.ledger.request("web")
    host.drive(Phase.BOOTING)
    host.ledger.request("web")
    host.drive(Phase.REMOVING, reason="too slow")
    host.ledger.cancel("web", "the program was stopped")
    last = host.last("web")
    assert last and last.phase is Phase.FAILED and last.ended == host.now
    assert last.reason == "too slow; the program was stopped"
    assert host.ledger.running() == [] and host.ledger.page("web").following == 0
    host.ledger.cancel("web", "again")
    assert len(host.ledger.page("web").ended) == 1


def test_adoption_ends_a_draining_handover() -> None:
    """The driver need not be there to say so."""
    host = Host()
    host.ledger.request("web")
    host.drive(Phase.BOOTING, new=NEW)
    host.ledger.adopted("web", MasterId(99, 9))
    assert host.ledger.running()
    host.drive(Phase.DRAINING)
    assert host.ledger.was_told_to_quit("web", OLD.pid)
    host.ledger.adopted("web", NEW)
    last = host.last("web")
    assert last and last.succeeded and host.ledger.running() == []
    assert not host.ledger.was_told_to_quit("web", OLD.pid)


def test_adoption_before_it_began_moves_it_to_the_new_master() -> None:
    """A USR2 by hand before the driver looked: the handover is of the master that is there now."""
    host = Host()
    host.ledger.request("web")
    host.ledger.adopted("web", NEW)
    (record,) = host.ledger.running()
    assert record.old == NEW and record.phase is Phase.REQUESTED


def test_who_was_told_to_quit_is_remembered_after_a_failure() -> None:
    """Until its end, a master that was told to quit is known, though the handover failed since."""
    host = Host()
    host.ledger.request("web")
    assert not host.ledger.was_told_to_quit("web", OLD.pid)
    host.drive(Phase.DRAINING, Phase.FAILED)
    assert host.ledger.was_told_to_quit("web", OLD.pid)
    assert not host.ledger.was_told_to_quit("web", NEW.pid)
    host.ledger.lost("web", "gone")
    assert not host.ledger.was_told_to_quit("web", OLD.pid)


def test_a_new_master_that_was_told_to_quit_and_is_adopted_is_remembered() -> None:
    """If the old one dies in a backing out, the host must start the program when this one ends."""
    host = Host()
    host.ledger.request("web")
    host.drive(Phase.REMOVING, new=NEW, reason="too slow")
    assert host.ledger.was_told_to_quit("web", NEW.pid)
    host.ledger.adopted("web", NEW)
    assert host.ledger.was_told_to_quit("web", NEW.pid)
    host.drive(Phase.FAILED)
    assert host.ledger.was_told_to_quit("web", NEW.pid)


def test_a_driver_that_stays_away() -> None:
    """After the grace what has not begun fails with the reason; what has begun is kept."""
    host = Host()
    host.ledger.request("web")
    host.ledger.request("api")
    host.drive(Phase.BOOTING)
    host.ledger.driver_went()
    host.now += DRIVER_GRACE - 0.1
    host.ledger.tick("no driver")
    web = host.ledger.page("web").running
    assert len(host.ledger.running()) == 2 and web and not host.ledger.is_driverless(web)
    host.now += 0.2
    host.ledger.tick("no driver")
    assert host.ledger.is_driverless(web)
    assert [record.program for record in host.ledger.running()] == ["web"]
    last = host.last("api")
    assert last and last.reason == "no driver"
    host.ledger.driver_came()
    assert not host.ledger.is_driverless(web) and host.ledger.driver_is_there


def test_a_driver_that_was_away_for_long_may_come_for_a_new_handover() -> None:
    """The grace begins when the handover is asked for, not when the last driver went."""
    host = Host()
    host.ledger.driver_went()
    host.now += 10 * DRIVER_GRACE
    host.ledger.request("web")
    host.ledger.tick("no driver")
    assert host.ledger.running()
    host.now += DRIVER_GRACE - 0.1
    host.ledger.driver_came()
    host.now += 0.2
    host.ledger.tick("no driver")
    assert host.ledger.running()
    host.now += DRIVER_GRACE
    host.ledger.tick("no driver")
    assert not host.ledger.running()


def test_a_driver_that_is_stuck() -> None:
    """A driver that is there but does not take an order is told of as well; a queue may be long."""
    host = Host()
    host.ledger.request("web")
    host.ledger.request("api")
    host.drive(Phase.QUEUED, program="api")
    host.now += DRIVER_GRACE
    host.ledger.tick("stuck")
    assert [record.program for record in host.ledger.running()] == ["api"]


def test_only_the_last_ends_are_kept() -> None:
    """The history is bounded, and numbers go on."""
    host = Host()
    for number in range(1, KEPT + 5):
        assert host.ledger.request("web") == number
        host.drive(Phase.DONE)
    numbers = [record.number for record in host.ledger.page("web").ended]
    assert numbers == list(range(5, KEPT + 5))
    assert host.ledger.find("web", 4) is None and host.ledger.find("web", 5)


@pytest.mark.parametrize("wish", ["rollback", "promote"])
def test_a_wish_needs_a_handover(wish: str) -> None:
    """With nothing running, or past the point of no return, the operator is told so."""
    host = Host()
    assert "nothing to" in host.ledger.wish("web", wish)
    host.ledger.request("web")
    host.drive(Phase.DRAINING)
    assert "draining already, so it is too late" in host.ledger.wish("web", wish)
    assert host.ledger.page("web").wish == ""


def test_a_rollback_cancels_what_was_to_follow() -> None:
    """Who rolls back does not want another try."""
    host = Host()
    host.ledger.request("web")
    host.drive(Phase.SOAKING)
    host.ledger.request("web")
    assert host.ledger.wish("web", "rollback") == ""
    page = host.ledger.page("web")
    assert page.following == 0 and page.wish == "rollback"


def test_a_rollback_before_it_began() -> None:
    """It ends at once if no driver is there; one that is may have begun, and is asked."""
    host = Host()
    host.ledger.driver_came()
    host.ledger.request("web")
    assert host.ledger.wish("web", "rollback") == ""
    assert host.ledger.running() and host.ledger.page("web").wish == "rollback"
    host.ledger.driver_went()
    assert host.ledger.wish("web", "rollback") == ""
    last = host.last("web")
    assert last and last.phase is Phase.FAILED and "rolled back" in last.reason


def test_changes_are_counted() -> None:
    """Who watches a page can tell that it changed."""
    host = Host()
    seen = [host.ledger.page("web").changes]
    host.ledger.request("web")
    seen.append(host.ledger.page("web").changes)
    host.drive(Phase.CHECKING)
    seen.append(host.ledger.page("web").changes)
    host.drive(Phase.DONE)
    seen.append(host.ledger.page("web").changes)
    assert seen == sorted(set(seen))
