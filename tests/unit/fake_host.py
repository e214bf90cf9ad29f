"""A host without a supervisor, on the fake kernel and on a loop that a test turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from signal import SIGUSR1
from typing import Any

from unicorn_handover.host.copies import Command
from unicorn_handover.host.program import Program
from unicorn_handover.host.side import HostSide
from unicorn_handover.model.options import Options
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import Launch

from .fake_process import Fake
from .fake_system import FakeSystem

HOST_PID = 1  # whose children the fake kernel's own are


class FakeLoop:
    """Calls what a test says is ready, and timers in the fake kernel's time."""

    def __init__(self, kernel: FakeSystem) -> None:
        self.watched: dict[int, Callable[[], None]] = {}
        self.writers: dict[int, Callable[[], None]] = {}
        self.timers: list[object] = []
        self._kernel = kernel

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        self.watched[descriptor] = call

    def unwatch(self, descriptor: int) -> None:
        self.watched.pop(descriptor, None)
        self.writers.pop(descriptor, None)

    def when_writable(self, descriptor: int, call: Callable[[], None]) -> None:
        self.writers[descriptor] = call

    def after(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        timer = object()
        self.timers.append(timer)

        def ring() -> None:
            if timer in self.timers:
                self.timers.remove(timer)
                call()

        self._kernel.later(seconds, ring)
        return lambda: self.timers.remove(timer) if timer in self.timers else None

    def turn(self) -> None:
        """Call for every descriptor: those of dead processes are ready, others look in vain."""
        for call in list(self.watched.values()):
            call()


class FakeHost(HostSide):
    """Programs "web" and "api" of fake masters; what is logged and published is kept."""

    daemon = "fake"

    def __init__(self, kernel: FakeSystem | None = None) -> None:
        self.kernel = kernel or FakeSystem()
        self.lines: list[str] = []
        self.published: list[tuple[str, int, str]] = []
        self.known: set[int] = set()
        super().__init__(self.kernel, FakeLoop(self.kernel))  # type: ignore[arg-type]
        self.web = self.add("web")
        self.api = self.add("api")

    def add(self, name: str) -> Program:
        """Manage a program that cannot be adopted."""
        program = self.manage(name, Options(boot_timeout=10, drain_timeout=20))
        program.supervised = Section()
        return program

    def start(self, program: Program, words: Iterable[str] = ("unicorn master",)) -> Fake:
        """Start a master, which is the leader of its group, and hold it."""
        fake = self.kernel.add(ppid=HOST_PID, forked=False, words=list(words))
        fake.pgrp = fake.pid
        self.known.add(fake.pid)
        program.hold(fake.pid, lambda: None)
        return fake

    def successor(self, old: Fake) -> Fake:
        """A new master that `old` has re-executed."""
        return self.kernel.add(
            ppid=old.pid,
            forked=False,
            words=["unicorn master"],
            environ={"UNICORN_FD": "7"},
            sockets={7},
            pgrp=old.pgrp,
        )

    def ready_worker(self, master: Fake) -> Fake:
        """A worker of a unicorn master, in its accept loop."""
        return self.kernel.add(
            ppid=master.pid,
            forked=True,
            words=["unicorn worker[0]"],
            catches={SIGUSR1},
            pgrp=master.pgrp,
        )

    def drive(self, phase: Phase, program: Program | None = None, **changes: Any) -> None:
        """Send a record as the driver does."""
        running = (program or self.web).handovers.running
        assert running
        now = self.kernel.clock()
        ended = now if phase.final else 0.0
        changes.setdefault("signalled", now)
        self.take(running.but(phase=phase, since=now, ended=ended, **changes).to_json())

    def wait(self, seconds: float) -> None:
        """Let the time pass."""
        self.kernel.advance_to(self.kernel.now + seconds)

    def known_pids(self) -> set[int]:
        return self.known

    def log(self, level: int, text: str) -> None:
        self.lines.append(text)

    def publish(self, record: Record) -> None:
        self.published.append((record.program, record.number, record.phase.value))

    def why_no_driver(self) -> str:
        return "there is no driver"


class Section:
    """What the host's configuration says of a program."""

    launch = Launch("program:web", "directory", ("unicorn", "-c", "/u.rb"), "/srv/web", "/srv/web")

    def command_in_force(self) -> Command:
        return Command(self.launch.command, self.launch.directory)

    def adopt_if_dead(self) -> None:
        raise OSError("no")

    def remembered(self) -> dict[str, Any]:
        return {"section": "web"}


def id_of(fake: Fake) -> MasterId:
    """A fake process as a record names it."""
    return MasterId(fake.pid, fake.start)
