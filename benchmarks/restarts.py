"""One release replaced by the next under load: the host's own restart, by hand, and handed over."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from examples.demo.hosts import Host
from examples.demo.load import Answer, Load, longest_gap, within
from examples.demo.servers import App

BY_HAND = Path(__file__).with_name("by_hand.sh")
OLD, NEW = "1", "2"
AROUND = 2.0  # seconds of requests before and after
PAUSE = 0.01  # seconds between a client's requests; a refused client asks again as soon
SPAWN = "handover by spawn"
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
        return sum(bool(answer.fault) for answer in self.answers)

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
    return host.run(host.client(*host.stock_words))


def by_hand(host: Host) -> int:
    """USR2 from a script."""
    pidfile = host.folder / f"{host.app.server}.pid"
    return host.run([str(BY_HAND), str(pidfile), host.app.stop_signal])


def handover(host: Host) -> int:
    """The host's restart with the plugin."""
    return host.restart(lambda _: None)


WAYS: dict[str, Way] = {
    "stock restart": stock,
    "USR2 by hand": by_hand,
    "handover": handover,
    SPAWN: handover,
}


def measure(way: str, host_kind: type[Host], app_kind: type[App], boot: float) -> Outcome:
    """Restart a fresh program one way, from a release to one that loads for `boot` seconds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        app = app_kind(Path(name))
        app.publish(OLD, boot)
        options = "method = spawn" if way == SPAWN else ""
        host = host_kind(Path(name), app, options, managed=WAYS[way] is handover)
        with host, Load(app.port, slow=0, pause=PAUSE) as load:
            time.sleep(AROUND)
            app.publish(NEW, boot)
            began = time.monotonic()
            WAYS[way](host)
            ended = time.monotonic()
            _wait_for_release(load, NEW)
            time.sleep(AROUND)
            answers = within(load.answers, began - AROUND, time.monotonic())
            seconds = ended - began
            return Outcome(way, answers, began, seconds, psutil.pid_exists(host.master() or -1))


def _wait_for_release(load: Load, release: str) -> None:
    deadline = time.monotonic() + SETTLING
    while not any(answer.release == release for answer in load.answers[-20:]):
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
