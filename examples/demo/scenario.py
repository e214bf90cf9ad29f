"""What is demonstrated on one host: a good restart, then a broken one, under requests."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .hosts import Host
from .load import Answer, Load, longest_gap, within
from .screen import BOLD, DIM, GREEN, RED, Screen
from .servers import App

BOOT = 1.5  # seconds that a release takes to load
AROUND = 1.5  # seconds of requests before and after each restart


@dataclass
class Restart:
    """One restart and what came of it. `expected` is the release that is to serve afterwards."""

    host: str
    good: bool
    expected: str
    old: int = 0
    new: int = 0
    status: int = 0
    seconds: float = 0.0
    told: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    after: list[Answer] = field(default_factory=list)  # to requests begun after the restart's end

    @property
    def failed(self) -> list[Answer]:
        """The requests that were not answered as they should."""
        return [answer for answer in self.answers if answer.fault]

    @property
    def verdict(self) -> str:
        """The last line of what the operator was told that is not part of the program's output."""
        return next((line for line in reversed(self.told) if line[:1].strip()), "")

    @property
    def gap(self) -> float:
        """The longest time without an answer, in seconds."""
        return longest_gap(self.answers)

    def faults(self) -> Iterator[str]:
        """What did not hold."""
        if self.failed:
            yield f"{len(self.failed)} requests failed, the first with {self.failed[0].fault}"
        if {answer.release for answer in self.after} != {self.expected}:
            yield f"afterwards not only release {self.expected} answers"
        if {answer.master for answer in self.after} != {self.new}:
            yield f"afterwards not only master {self.new}, which {self.host} names, answers"
        if self.good != (self.new != self.old):
            yield "the master is still the old one" if self.good else "the old master is gone"
        if self.good != (self.status == 0):
            yield f"the exit status of restart was {self.status}"
        if not self.verdict:
            yield "the operator was told nothing"


def demonstrate(host_kind: type[Host], app_kind: type[App], screen: Screen) -> list[Restart]:
    """Run it on one host; return what came of the two restarts."""
    with tempfile.TemporaryDirectory(prefix="handover-") as name:
        app = app_kind(Path(name))
        app.publish("1")
        screen.say()
        with host_kind(Path(name), app) as host, Load(app.port) as load:
            screen.say(
                f"{host.version} runs {app.version}, {app.workers} workers. "
                "9 clients ask it without a pause.",
                BOLD,
            )
            time.sleep(AROUND)
            app.publish("2", boot=BOOT)
            good = _restart(host, load, screen, Restart(host.name, True, "2"))
            app.publish("3", boot=BOOT, broken=True)
            bad = _restart(host, load, screen, Restart(host.name, False, "2"))
    return [good, bad]


def _restart(host: Host, load: Load, screen: Screen, restart: Restart) -> Restart:
    what = "release 2 is deployed" if restart.good else "release 3 is deployed, and cannot start"
    screen.say()
    screen.say(f"  $ {host.spoken()}   {screen.paint(f'# {what}', DIM)}")
    restart.old = host.master()
    began = time.monotonic() - AROUND

    def tell(line: str) -> None:
        restart.told.append(line)
        colour = RED if "error" in line.lower() else GREEN
        screen.say(f"    {line}", DIM if line.startswith(" ") else colour)

    def live() -> str:
        now = time.monotonic()
        seen = within(load.answers, began, now)
        marks = screen.marks(seen, now - 8, now, min(50, screen.width - 40))
        failed = sum(bool(answer.fault) for answer in seen)
        return f"    {marks}  {len(seen):5} requests, {failed} failed"

    with screen.live(live):
        asked = time.monotonic()
        restart.status = host.restart(tell)
        ended = time.monotonic()
        time.sleep(AROUND)
    now = time.monotonic()
    restart.new = host.master()
    restart.seconds = ended - asked
    restart.answers = within(load.answers, began, now)
    restart.after = [answer for answer in restart.answers if answer.began > ended]
    marks = screen.marks(restart.answers, began, now)
    screen.say(f"    answered by release  {marks}")
    return restart
