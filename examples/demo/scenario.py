"""What is demonstrated on one host: a good restart, then a broken one, under requests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.kit.commands import tell_lines
from tests.kit.host import Host
from tests.kit.load import Answer, Load, longest_gap, within
from tests.kit.programs import Program
from tests.kit.running import folder, running

from .hosts import RESTARTS, host_version, server_version, title
from .screen import BOLD, DIM, GREEN, RED, Screen

BOOT = 1.5  # seconds that a release takes to load
AROUND = 1.5  # seconds of requests before and after each restart
PAUSE = 0.03  # seconds between the requests of a quick client
SLOW = "/sleep/2"  # what the slow one asks for
LONGEST = 600.0  # seconds of requests on one host, at the most


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
        return [answer for answer in self.answers if not answer.ok]

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
            yield f"{len(self.failed)} requests failed, the first with {self.failed[0].detail}"
        if {answer.release for answer in self.after} != {self.expected}:
            yield f"afterwards not only release {self.expected} answers"
        if {answer.number("master") for answer in self.after} != {self.new}:
            yield f"afterwards not only master {self.new}, which {self.host} names, answers"
        if self.good != (self.new != self.old):
            yield "the master is still the old one" if self.good else "the old master is gone"
        if self.good != (self.status == 0):
            yield f"the exit status of restart was {self.status}"
        if not self.verdict:
            yield "the operator was told nothing"


def demonstrate(host_kind: type[Host], server: str, screen: Screen) -> list[Restart]:
    """Run it on one host; return what came of the two restarts."""
    with folder() as path:
        web = Program(path, server=server, preload=True, workers=4, boot=BOOT)
        screen.say()
        with running(host_kind(path, [web], {})) as host, Visitors(web) as visitors:
            screen.say(
                f"{host_version(host)} runs {server_version(web)}, {web.workers} workers. "
                "9 clients ask it without a pause.",
                BOLD,
            )
            time.sleep(AROUND)
            web.write("v2", "slow")
            good = _restart(host, visitors, screen, Restart(title(host), True, "v2"))
            web.write("v3", "slow", "raises")
            bad = _restart(host, visitors, screen, Restart(title(host), False, "v2"))
    return [good, bad]


class Visitors:
    """Eight clients that ask again and again, and one whose requests take long."""

    def __init__(self, web: Program) -> None:
        self.answers: list[Answer] = []
        quick = Load(web.address, clients=8, longest=LONGEST, pause=PAUSE, answers=self.answers)
        slow = Load(web.address, SLOW, clients=1, longest=LONGEST, answers=self.answers)
        self._loads = (quick, slow)

    def __enter__(self) -> Visitors:
        for load in self._loads:
            load.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        for load in self._loads:
            load.__exit__()


def _restart(host: Host, visitors: Visitors, screen: Screen, restart: Restart) -> Restart:
    what = "release 2 is deployed" if restart.good else "release 3 is deployed, and cannot start"
    screen.say()
    screen.say(f"  $ {RESTARTS[host.name]}   {screen.paint(f'# {what}', DIM)}")
    restart.old = host.master("web")
    began = time.monotonic() - AROUND

    def tell(line: str) -> None:
        restart.told.append(line)
        colour = RED if "error" in line.lower() else GREEN
        screen.say(f"    {line}", DIM if line.startswith(" ") else colour)

    def live() -> str:
        now = time.monotonic()
        seen = within(visitors.answers, began, now)
        marks = screen.marks(seen, now - 8, now, min(50, screen.width - 40))
        failed = sum(not answer.ok for answer in seen)
        return f"    {marks}  {len(seen):5} requests, {failed} failed"

    with screen.live(live):
        asked = time.monotonic()
        restart.status = tell_lines(host.restart_words("web"), tell)
        ended = time.monotonic()
        time.sleep(AROUND)
    now = time.monotonic()
    restart.new = host.master("web")
    restart.seconds = ended - asked
    restart.answers = within(visitors.answers, began, now)
    restart.after = [answer for answer in restart.answers if answer.began > ended]
    marks = screen.marks(restart.answers, began, now)
    screen.say(f"    answered by release  {marks}")
    return restart
