"""One handover of one program, driven on a kernel that is made up whole."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGUSR1

from unicorn_handover.driver.handover import Handover
from unicorn_handover.model.options import Options
from unicorn_handover.model.orders import Order
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

from ..fake_process import Fake
from ..fake_system import FakeSystem
from ..fake_unicorn import Unicorn


class History:
    """One handover of one program, and all that it reported."""

    def __init__(self, **options: object) -> None:
        self.system = FakeSystem()
        self.unicorn = Unicorn(self.system)
        self.old = self.unicorn.start()
        self.options = Options(**options)  # type: ignore[arg-type]
        self.reports: list[Record] = []
        self.handover: Handover | None = None
        self.at_phase: dict[Phase, Callable[[], None]] = {}

    @property
    def new(self) -> Fake:
        """The new master."""
        return self.unicorn.masters[1]

    @property
    def phases(self) -> list[str]:
        """The phases it went through."""
        return list(dict.fromkeys(record.phase.value for record in self.reports))

    @property
    def signals(self) -> list[str]:
        """The signals that the masters got, as "QUIT old"."""
        names = {self.old.pid: "old", **{m.pid: "new" for m in self.unicorn.masters[1:]}}
        return [f"{number} {names[pid]}" for number, pid in self.system.signals if pid in names]

    def begin(self, record: Record | None = None) -> None:
        """Let a driver begin, or go on with what another one left."""
        first = MasterId(self.old.pid, self.old.start)
        now = self.system.now
        record = record or Record("web", 1, Phase.REQUESTED, first, now, now)
        order = Order(record, self.options)
        self.handover = Handover(self.system, order, self._report)  # type: ignore[arg-type]

    def lose_driver(self) -> Record:
        """Kill the driver; return what the host knows."""
        assert self.handover
        self.handover.close()
        assert self.system.open_handles == 0
        return self.reports[-1]

    def _report(self, record: Record) -> None:
        self.reports.append(Record.from_json(record.to_json()))
        act = self.at_phase.pop(record.phase, None)
        if act:
            act()

    def run(self, until: Phase | None = None, seconds: float = 500) -> Record:
        """Let time pass until the handover ends, or is in a phase."""
        if self.handover is None:
            self.begin()
        handover = self.handover
        assert handover
        limit = self.system.now + seconds
        while not handover.finished and handover.record.phase is not until:
            handover.step()
            if handover.finished or handover.record.phase is until:
                break
            moment = min(handover.wake_at(), self.system.next_at())
            assert moment <= limit, f"stays {handover.record.phase} for ever"
            self.system.advance_to(max(moment, self.system.now + 0.001))
        return handover.record


def obeys_late(history: History, seconds: float) -> None:
    """Let the old master take its time to obey."""
    obey = history.old.obey
    history.old.obey = lambda number: history.system.later(seconds, lambda: obey(number))


def soaking(**options: object) -> History:
    """A history in a long soak, a second after it began."""
    history = History(soak=1000.0, **options)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    return history


def serving(history: History) -> int:
    """How many of the old master's workers are ready and not told to quit."""
    unicorn = history.unicorn
    found = unicorn.workers(history.old)
    return sum(w.pid not in unicorn._quitting and SIGUSR1 in w.catches for w in found)
