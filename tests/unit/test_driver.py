"""The driver: many handovers at once, orders that change, and what crosses to and from the host."""

from __future__ import annotations

import json
from signal import SIGUSR2

import pytest

from unicorn_handover.driver.scheduler import Driver
from unicorn_handover.model.options import Options
from unicorn_handover.model.orders import Order, Orders
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

from .fake_system import FakeSystem, Unicorn


class Site:
    """Several unicorns, a driver, and what it reported."""

    def __init__(self, *names: str, limit: int = 0, options: Options | None = None) -> None:
        self.system = FakeSystem()
        self.unicorns = {name: Unicorn(self.system) for name in names}
        self.records: dict[str, Record] = {}
        for name, unicorn in self.unicorns.items():
            old = unicorn.start()
            now = self.system.now
            first = MasterId(old.pid, old.start)
            self.records[name] = Record(name, 1, Phase.REQUESTED, first, now, now)
        self.limit = limit
        self.options = options or Options()
        self.reports: list[tuple[str, str]] = []
        self.driver = Driver(self.system, self._report)  # type: ignore[arg-type]

    def _report(self, record: Record) -> None:
        self.records[record.program] = record
        self.reports.append((record.program, record.phase.value))

    def order(self, *names: str, wish: str = "") -> None:
        """Give the driver the list of handovers that the host wants now."""
        orders = [Order(self.records[name], self.options, wish) for name in names]
        text = json.dumps(Orders(orders, self.limit).to_json())
        self.driver.take(Orders.from_json(json.loads(text)))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.system.now + seconds
        while self.system.now < end:
            self.driver.step()
            self.system.advance_to(self.system.now + 0.02)

    def phases(self) -> dict[str, Phase]:
        """Where each handover is."""
        return {name: record.phase for name, record in self.records.items()}


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


def late_site() -> Site:
    """A site whose master obeys USR2 8 s late, 3 s after its handover was given up."""
    site = Site("web", options=Options(boot_timeout=5))
    old = site.unicorns["web"].masters[0]
    obey = old.obey
    old.obey = lambda number: site.system.later(8 * (number == SIGUSR2), lambda: obey(number))
    site.order("web")
    site.run(6)
    assert site.phases() == {"web": Phase.FAILED}
    site.order()
    return site


def test_a_new_master_that_comes_after_its_handover_was_given_up() -> None:
    """It is removed: USR2 cannot be called back, and two families must not be left."""
    site = late_site()
    site.run(4)
    old, new = site.unicorns["web"].masters
    assert old.alive and not new.alive
    assert [s for s in site.system.signals if s[1] == old.pid] == [("USR2", old.pid)]
    site.driver.close()
    assert site.system.open_handles == 0


def test_a_new_master_that_comes_late_is_the_next_handovers() -> None:
    """A restart that was asked for again is not harmed by the one that was given up."""
    site = late_site()
    record = site.records["web"]
    now = site.system.now
    site.records["web"] = Record("web", 2, Phase.REQUESTED, record.old, now, now)
    site.order("web")
    site.run(10)
    assert site.phases() == {"web": Phase.DONE}


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


def test_a_wish_reaches_the_handover() -> None:
    """Also one that came with the first order."""
    for early in (True, False):
        site = Site("web")
        site.unicorns["web"].boots = None
        site.order("web", wish="rollback" if early else "")
        site.run(1)
        site.order("web", wish="rollback")
        site.run(3)
        assert site.phases() == {"web": Phase.FAILED}
        assert "rolled back" in site.records["web"].reason


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
    assert site.records["web"].reason == "the driver gave up: ZeroDivisionError: odd"


RECORDS = [
    Record("web", 1, Phase.REQUESTED, MasterId(1, 2), 3.0, 4.0),
    Record(
        "x:y",
        7,
        Phase.FAILED,
        MasterId(1, 2),
        3.0,
        4.5,
        new=MasterId(5, 6),
        server="unicorn",
        strength=4,
        ready=1,
        total=2,
        reason="why \x1b\n é",
        signalled=3.5,
        ended=9.0,
        output=("a", "b"),
    ),
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_survives_json(record: Record) -> None:
    """What one side writes the other side reads, field by field."""
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_fields_of_another_version_are_left_out() -> None:
    """During an upgrade host and driver may be of different versions."""
    fields = {**RECORDS[1].to_json(), "later": 1}
    assert Record.from_json(fields) == RECORDS[1]
    order = Order(RECORDS[0], Options(soak=3), "promote").to_json()
    order["options"] = {**order["options"], "later": 1}
    assert Order.from_json(order) == Order(RECORDS[0], Options(soak=3), "promote")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**RECORDS[0].to_json(), "phase": "nosuch"},
        {**RECORDS[0].to_json(), "old": [1]},
        {**RECORDS[0].to_json(), "output": None},
    ],
)
def test_what_is_not_a_record_raises_what_it_should(wrong: dict[str, object]) -> None:
    """The caller handles KeyError, TypeError and ValueError."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Record.from_json(wrong)


@pytest.mark.parametrize(
    ("phase", "reason", "succeeded"),
    [(Phase.DONE, "", True), (Phase.DONE, "x", False), (Phase.FAILED, "", False)],
)
def test_success(phase: Phase, reason: str, succeeded: bool) -> None:
    """Only a release that took over with nothing wrong has succeeded."""
    assert RECORDS[0].but(phase=phase, reason=reason).succeeded is succeeded
