"""One release replaced by the next under load: the host's own restart, by hand, and handed over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.kit.commands import tell_lines
from tests.kit.host import Host
from tests.kit.load import Answer, Load, longest_gap, within
from tests.kit.programs import Program
from tests.kit.running import folder, running

BY_HAND = Path(__file__).with_name("by_hand.sh")
OLD, NEW = "v1", "v2"
AROUND = 2.0  # seconds of requests before and after
PAUSE = 0.01  # seconds between a client's requests; a refused client asks again as soon
SPAWN = "handover by spawn"
LONGEST = 600.0  # seconds of requests, at the most
SETTLING = 60.0  # seconds until the new release must answer

Way = Callable[[Host], int]


@dataclass(frozen=True)
class Outcome:
    """What one way of restarting did."""

    way: str
    answers: list[Answer]
    began: float
    seconds: float  # of the command
    known: bool  # whether the host names a living master afterwards

    @property
    def requests(self) -> int:
        """How many were asked."""
        return len(self.answers)

    @property
    def failed(self) -> int:
        """How many were refused, reset, cut or answered with an error."""
        return sum(not answer.ok for answer in self.answers)

    @property
    def serving(self) -> float:
        """Seconds from the command until the new release first answered."""
        news = (a.ended for a in self.answers if a.release == NEW)
        return min(news, default=math.nan) - self.began

    @property
    def gap(self) -> float:
        """The longest time without a good answer, in seconds."""
        return longest_gap(self.answers)


def stock(host: Host) -> int:
    """The host's own restart: stop, then start."""
    # Supervisor's has no option to wait, and always does.
    return tell_lines(host.restart_words("web", wait=host.name == "circus"), _ignore)


def by_hand(host: Host) -> int:
    """USR2 from a script."""
    web = host.programs["web"]
    return tell_lines([str(BY_HAND), str(web.pid_path), web.stopsignal], _ignore)


def handover(host: Host) -> int:
    """The host's restart with the plugin."""
    return tell_lines(host.restart_words("web"), _ignore)


def _ignore(line: str) -> None:
    pass


WAYS: dict[str, Way] = {
    "stock restart": stock,
    "USR2 by hand": by_hand,
    "handover": handover,
    SPAWN: handover,
}


def measure(way: str, host_kind: type[Host], server: str, boot: float) -> Outcome:
    """Restart a fresh program one way, from a release to one that loads for `boot` seconds."""
    with folder() as path:
        web = application(path, server, boot)
        web.write(OLD, "slow")
        host = host_kind(path, [web], {"method": "spawn"} if way == SPAWN else {})
        if WAYS[way] is not handover:
            host.plugin = ""
        with running(host), Load(web.address, clients=8, longest=LONGEST, pause=PAUSE) as load:
            time.sleep(AROUND)
            web.write(NEW, "slow")
            began = time.monotonic()
            WAYS[way](host)
            ended = time.monotonic()
            _wait_for_release(load, NEW)
            time.sleep(AROUND)
            answers = within(load.answers, began - AROUND, time.monotonic())
            known = psutil.pid_exists(host.master("web") or -1)
            return Outcome(way, answers, began, ended - began, known)


def application(path: Path, server: str, boot: float = 0.0, workers: int = 4) -> Program:
    """The program that is measured; a slow release of it loads for `boot` seconds."""
    return Program(path, server=server, preload=True, workers=workers, boot=boot)


def _wait_for_release(load: Load, release: str) -> None:
    deadline = time.monotonic() + SETTLING
    while not any(answer.release == release for answer in load.answers[-20:]):
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
