"""Under runit: the recipe that is pasted for unicorn, beside `unicorn-handover run`."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.kit.foreground_host import RunsvHost
from tests.kit.load import Answer, Load, longest_gap, within
from tests.kit.processes import kill, living, living_in
from tests.kit.programs import Program, installed
from tests.kit.running import folder, running

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
LIFETIME = 600.0  # seconds of requests, at the most


class Recipe(RunsvHost):
    """The script as the service; nobody is to be asked how it goes."""

    @property
    def command_line(self) -> list[str]:
        return [str(RECIPE), str(self.program.pid_path), *shlex.split(self.program.command_line)]

    def driver_is_there(self) -> bool:
        return True  # there is none

    def at_rest(self, name: str) -> bool:
        return self.program.answers()

    def shutdown(self) -> None:
        """Not as an operator would: the script may wait for a master that is long gone."""
        assert self.process
        for found in [*living_in(self.folder), living(self.process.pid)]:
            kill(found)
        self.process.wait()


WAYS: dict[str, tuple[str, type[RunsvHost], str]] = {  # by name: the host, and settings of unicorn
    "recipe": ("the recipe", Recipe, HOOK),
    "handover": ("unicorn-handover run", RunsvHost, ""),
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
    return shutil.which("runsv") is not None and installed("unicorn")


EVENTS = ("sv 2", "kill -9", "sv 2, a broken release")


def measure(way: str, boot: float) -> tuple[Outcome, ...]:
    """What comes of EVENTS, one after the other, on a fresh service."""
    _, host_kind, settings = WAYS[way]
    with folder() as path:
        # As unicorn loads the application unless it is told otherwise: in each worker.
        web = Program(path, settings=settings, workers=4, boot=boot, restarted=True)
        web.write("v1", "slow")
        host = host_kind(path, [web])
        with running(host), Load(web.address, clients=8, longest=LIFETIME, pause=PAUSE) as load:

            def restart() -> bool:
                return host.sv("2").ok

            _pass(AROUND)
            web.write("v2", "slow")
            good = Event(load, restart)
            restarted = good.outcome(good.first_of_release("v2"))
            _wait_until(lambda: _one_master(load) > 0)
            crash = Event(load, lambda: os.kill(_one_master(load), signal.SIGKILL))
            crashed = crash.outcome(crash.first_after_failures())
            web.write("v3", "slow", "raises")
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
            if now < self._began + LATER or any(not answer.ok for answer in recent):
                return []
            last = max((a.ended for a in self._answers() if not a.ok), default=self._began)
            return [a for a in self._answers() if a.ended > last] if recent else []

        return self._wait_for(found)

    def outcome(self, over: float) -> Outcome:
        """Return what became of the requests until AROUND later."""
        _pass(AROUND)
        now = time.monotonic()
        answers = within(self._load.answers, self._began - AROUND, now)
        # As if it were answered now: there may be no good answer at the end.
        gap = longest_gap([*answers, Answer("ok", began=now)])
        failed = sum(not answer.ok for answer in answers)
        return Outcome(len(answers), failed, gap, over - self._began, self._command)

    def _answers(self) -> list[Answer]:
        return [answer for answer in self._load.answers if answer.ended > self._began]

    def _wait_for(self, found: Callable[[], list[Answer]]) -> float:
        _wait_until(lambda: bool(found()))
        return min((answer.ended for answer in found()), default=math.nan)


def _one_master(load: Load) -> int:
    """The only master that has answered for a while, 0 if there were several."""
    now = time.monotonic()
    masters = {a.number("master") for a in within(load.answers, now - AROUND, now) if a.ok}
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
    for way, (name, _, _) in WAYS.items():
        for what, one in zip(EVENTS, measure(way, boot)):
            over = "never" if math.isnan(one.over) else f"{one.over:.1f} s"
            times = (f"{one.gap:.2f} s", over, f"{one.command:.2f} s")
            print(row.format(f"{name}, {what}", one.requests, one.failed, *times))
