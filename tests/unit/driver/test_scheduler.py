"""The driver: many handovers at once, and orders that change."""

from __future__ import annotations

import pytest

from unicorn_handover.driver.scheduler import Driver
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId

from .site import Site


def test_programs_do_not_wait_for_each_other() -> None:
    """One that hangs does not hold up another one."""
    site = Site("web", "api")
    site.unicorns["web"].boots = None
    site.order("web", "api")
    site.run(5)
    assert site.phases() == {"web": Phase.BOOTING, "api": Phase.DONE}


def test_a_limit() -> None:
    """With max_handovers the others are queued, told so once, and begin when there is room."""
    site = Site("a", "b", "c", limit=1)
    site.order("a", "b", "c")
    assert site.phases() == {"a": Phase.RE_EXECUTING, "b": Phase.QUEUED, "c": Phase.QUEUED}
    site.order("a", "b", "c")
    site.run(10)
    assert set(site.phases().values()) == {Phase.DONE}
    assert site.reports.count(("b", "queued")) == 1
    ends = [name for name, phase in site.reports if phase == "done"]
    begins = [name for name, phase in site.reports if phase == "checking"]
    assert ends == begins == ["a", "b", "c"]


def test_what_is_queued_is_reported_once() -> None:
    """The host does not answer a mere report, and has all its programs to look after."""
    site = Site("a", "b", limit=1)
    site.unicorns["a"].boots = None
    site.order("a", "b")
    site.run(2)
    assert site.reports.count(("b", "queued")) == 1


def test_what_was_under_way_needs_no_room() -> None:
    """A driver that takes over goes on with all that had begun, whatever the limit is."""
    site = Site("a", "b", limit=0)
    for unicorn in site.unicorns.values():
        unicorn.boots = None
    site.order("a", "b")
    site.run(1)
    site.driver.close()
    assert site.system.open_handles == 0
    site.driver = Driver(site.system, site._report)  # type: ignore[arg-type]
    site.limit = 1
    site.order("a", "b")
    assert len(list(site.driver._running)) == 2


def test_what_is_ordered_no_more_is_dropped_without_a_signal() -> None:
    """A cancelled handover leaves its masters to the host."""
    site = Site("web")
    site.unicorns["web"].boots = None
    site.order("web")
    site.run(1)
    sent = list(site.system.signals)
    site.order()
    site.run(200)
    assert site.system.signals == sent and site.system.open_handles == 0


def test_an_ended_one_is_not_begun_again() -> None:
    """An order that the host sent before it had read the end is not a new one."""
    site = Site("web")
    order = site.records["web"]
    site.order("web")
    site.run(5)
    assert site.phases() == {"web": Phase.DONE}
    site.records["web"] = order
    site.order("web")
    site.run(5)
    assert [phase for _, phase in site.reports].count("checking") == 1


@pytest.mark.parametrize("late", [False, True])
def test_a_new_master_that_the_host_replaces_is_forgotten(late: bool) -> None:
    """Whether its end was seen before that (`late`) or not; the other one is driven to the end."""
    site = Site("web")
    unicorn, record = site.unicorns["web"], site.records["web"]
    first = unicorn.spawn()
    first_id = MasterId(first.pid, first.start)
    starting = record.but(
        phase=Phase.STARTING,
        server="unicorn",
        method="spawn",
        signalled=record.since,
        worker_count=2,
    )
    site.records["web"] = starting.but(new=first_id)
    site.order("web")
    site.driver.step()
    assert site.phases() == {"web": Phase.BOOTING}
    site.system.end(first)
    if late:
        site.driver.step()
        assert site.phases() == {"web": Phase.FAILED}
    site.records["web"] = starting
    site.order("web")
    site.driver.step()
    second = unicorn.spawn()
    site.records["web"] = starting.but(new=MasterId(second.pid, second.start))
    site.order("web")
    site.run(5)
    assert site.phases() == {"web": Phase.DONE} and site.records["web"].new[0] == second.pid
    site.order()
    assert site.system.open_handles == 0


def test_a_wish_reaches_the_handover() -> None:
    """Also one that came with the first order."""
    for early in (True, False):
        site = Site("web")
        site.unicorns["web"].boots = None
        site.order("web", command="rollback" if early else "")
        site.run(1)
        site.order("web", command="rollback")
        site.run(3)
        assert site.phases() == {"web": Phase.FAILED}
        assert "rolled back" in site.records["web"].reason


def booting_beside_a_search() -> Site:
    """One program whose workers boot, beside one whose new master is searched for."""
    site = Site("web", "api")
    site.unicorns["web"].exec_takes, site.unicorns["api"].boots = 100.0, None
    site.order("web", "api")
    site.run(1)
    assert site.phases() == {"web": Phase.RE_EXECUTING, "api": Phase.BOOTING}
    return site


def test_a_handover_is_polled_at_its_own_pace() -> None:
    """One program whose child may be gone in milliseconds is polled so often, and no other."""
    site = booting_beside_a_search()
    new, polls = site.unicorns["api"].masters[1].pid, 0
    children = site.system.children

    def count(pid: int) -> list[int]:
        nonlocal polls
        polls += pid == new
        return children(pid)

    site.system.children = count  # type: ignore[method-assign]
    for _ in range(500):
        site.system.advance_to(site.system.now + 0.002)
        site.driver.step(ready=())
    assert 15 <= polls <= 21  # once in POLL_PAUSE


def test_what_is_news_is_not_waited_for() -> None:
    """The end of a process and the operator's command are acted on at once."""
    for news in ("end", "command"):
        site = booting_beside_a_search()
        site.driver.step()
        new = site.unicorns["api"].masters[1]
        if news == "end":
            site.system.end(new)
            site.driver.step(ready=())
            assert site.phases()["api"] is Phase.BOOTING
        else:
            site.order("web", "api", command="rollback")
        site.driver.step(ready={new.pid} if news == "end" else ())  # a fake one's descriptor
        assert site.phases()["api"] in (Phase.FAILED, Phase.REMOVING)


def test_an_unexpected_error_fails_that_handover_alone() -> None:
    """What should not happen is told as the reason, and the other programs go on."""
    site = Site("web", "api")
    site.unicorns["web"].boots = None
    site.order("web", "api")
    site.run(0.2)
    broken = site.unicorns["web"].masters[1].pid
    masks = site.system.signal_masks
    children = site.system.children

    def fail(pid: int) -> list[int]:
        if pid == broken:
            raise ZeroDivisionError("odd")
        return children(pid)

    site.system.children = fail  # type: ignore[method-assign]
    site.run(5)
    assert masks and site.phases() == {"web": Phase.FAILED, "api": Phase.DONE}
    why = "the driver gave up: ZeroDivisionError: odd (driver/test_scheduler.py:"
    assert site.records["web"].reason.startswith(why)
