"""Under runit: the recipe that is pasted for unicorn, beside `unicorn-handover run`."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from examples.demo.hosts import Host
from examples.demo.load import Answer, Load, longest_gap, within
from examples.demo.servers import BIN, App, Unicorn

RECIPE = Path(__file__).with_name("runit_recipe.sh")
HOOK = """\
before_fork do |server, worker|
  old = "#{server.config[:pid]}.oldbin"
  Process.kill(:QUIT, File.read(old).to_i) if File.exist?(old) && server.pid != old
end
"""
LATER = 8.0  # seconds after which what goes wrong has begun to
AROUND = 2.0  # seconds of requests before and after
PAUSE = 0.01  # seconds between a client's requests
LONGEST = 30.0  # seconds until what was measured must be over


class Runit(Host):
    """A service of a real runsv."""

    name = "runit"

    @property
    def conf(self) -> Path:
        return self.folder / "service/run"

    @property
    def command(self) -> Sequence[str]:
        return ["runsv", str(self.folder / "service")]

    def __enter__(self) -> Host:
        self.conf.parent.mkdir()
        self.conf.touch(0o755)
        return super().__enter__()

    def configuration(self) -> str:
        return f"#!/bin/sh\ncd {self.folder}\nexec >>web.log 2>&1\nexec {self.service}\n"

    @property
    def service(self) -> str:
        """The words of the service's command."""
        raise NotImplementedError

    def client(self, *words: str) -> Sequence[str]:
        return ["sv", *words, str(self.folder / "service")]


class Recipe(Runit):
    """The script."""

    name = "the recipe"

    @property
    def service(self) -> str:
        return f"{RECIPE} {self.folder}/unicorn.pid {self.app.command}"


class Runner(Runit):
    """Ours."""

    name = "unicorn-handover run"

    @property
    def service(self) -> str:
        return f"{BIN}/unicorn-handover run --respawn -- {self.app.command}"


class Plain(Unicorn):
    """The application as unicorn loads it unless it is told otherwise: in each worker."""

    more = ""

    def configure(self) -> None:
        super().configure()
        path = self.folder / "unicorn.rb"
        path.write_text(
            path.read_text().replace("preload_app true", "preload_app false") + self.more
        )


class Hooked(Plain):
    """With the hook that the recipe needs."""

    more = HOOK


WAYS: dict[str, tuple[type[Runit], type[App]]] = {
    "recipe": (Recipe, Hooked),
    "handover": (Runner, Plain),
}


@dataclass(frozen=True)
class Outcome:
    """What one event did to the requests around it; times in seconds.

    command: until the command that caused it returned. over: until it was over for the clients,
    nan if it never was. gap: the longest time without a good answer.
    """

    requests: int
    failed: int
    gap: float
    over: float
    command: float


def is_possible() -> bool:
    """True if runit and unicorn are here."""
    return bool(shutil.which("runsv") and shutil.which("unicorn"))


EVENTS = ("sv 2", "kill -9", "sv 2, a broken release")


def measure(way: str, boot: float) -> tuple[Outcome, ...]:
    """What comes of EVENTS, one after the other, on a fresh service."""
    host_kind, app_kind = WAYS[way]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        app = app_kind(Path(name))
        app.publish("1", boot)
        with host_kind(Path(name), app) as host, Load(app.port, slow=0, pause=PAUSE) as load:

            def restart() -> int:
                return host.run(host.client("2"))

            _pass(AROUND)
            app.publish("2", boot)
            good = Event(load, restart)
            restarted = good.outcome(good.first_of_release("2"))
            _wait_until(lambda: _one_master(load) > 0)
            crash = Event(load, lambda: os.kill(_one_master(load), signal.SIGKILL))
            crashed = crash.outcome(crash.first_after_failures())
            app.publish("3", boot, broken=True)
            bad = Event(load, restart)
            return restarted, crashed, bad.outcome(bad.first_after_failures())


class Event:
    """Something that is done to the program, now, and what the clients see of it."""

    def __init__(self, load: Load, cause: Callable[[], object]) -> None:
        self._load = load
        self._began = time.monotonic()
        cause()
        self._command = time.monotonic() - self._began

    def first_of_release(self, release: str) -> float:
        """Wait for the first answer of a release; return its time."""
        return self._wait_for(lambda: [a for a in self._answers() if a.release == release])

    def first_after_failures(self) -> float:
        """Wait until requests fail no more; return the time of the first one that did not."""

        def found() -> list[Answer]:
            now = time.monotonic()
            recent = within(self._answers(), now - 1, now)
            if now < self._began + LATER or any(answer.fault for answer in recent):
                return []
            last = max((a.ended for a in self._answers() if a.fault), default=self._began)
            return [a for a in self._answers() if a.ended > last] if recent else []

        return self._wait_for(found)

    def outcome(self, over: float) -> Outcome:
        """Return what became of the requests until AROUND later."""
        _pass(AROUND)
        now = time.monotonic()
        answers = within(self._load.answers, self._began - AROUND, now)
        # As if it were answered now: there may be no good answer at the end.
        gap = longest_gap([*answers, Answer(now, now)])
        failed = sum(bool(answer.fault) for answer in answers)
        return Outcome(len(answers), failed, gap, over - self._began, self._command)

    def _answers(self) -> list[Answer]:
        return [answer for answer in self._load.answers if answer.ended > self._began]

    def _wait_for(self, found: Callable[[], list[Answer]]) -> float:
        _wait_until(lambda: bool(found()))
        return min((answer.ended for answer in found()), default=math.nan)


def _one_master(load: Load) -> int:
    """The only master that has answered for a while, 0 if there were several."""
    now = time.monotonic()
    masters = {a.master for a in within(load.answers, now - AROUND, now) if not a.fault}
    return masters.pop() if len(masters) == 1 else 0


def _wait_until(fact: Callable[[], bool]) -> None:
    """Wait for a fact, for LONGEST at most."""
    deadline = time.monotonic() + LONGEST
    while not fact() and time.monotonic() < deadline:
        _pass(0.05)


def _pass(seconds: float) -> None:
    """Let the time pass; reap, as init does, the masters whose parents have gone."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error, ChildProcessError):
                if child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)
        time.sleep(0.05)


def report(boot: float) -> None:
    """Measure both ways and print them."""
    print(f"\nrunit, unicorn, 4 workers, loads for {boot:g} s; 8 clients\n")
    row = "{:<46}{:>9}{:>9}{:>13}{:>13}{:>10}"
    print(row.format("", "requests", "failed", "longest gap", "over after", "command"))
    for way, (host, _) in WAYS.items():
        for what, one in zip(EVENTS, measure(way, boot)):
            over = "never" if math.isnan(one.over) else f"{one.over:.1f} s"
            times = (f"{one.gap:.2f} s", over, f"{one.command:.2f} s")
            print(row.format(f"{host.name}, {what}", one.requests, one.failed, *times))
