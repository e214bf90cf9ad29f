"""Several unicorns on a made-up kernel, with one driver for all of them."""

from __future__ import annotations

import json
from signal import SIGUSR2

from unicorn_handover.driver.scheduler import Driver
from unicorn_handover.model.options import Options
from unicorn_handover.model.orders import Order, Orders
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

from ..fake_system import FakeSystem
from ..fake_unicorn import Unicorn


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

    def order(self, *names: str, command: str = "") -> None:
        """Give the driver the list of handovers that the host wants now."""
        orders = [Order(self.records[name], self.options, command) for name in names]
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
