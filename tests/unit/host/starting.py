"""A fake host whose program's section has changed, and that starts fake masters beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from unicorn_handover.host.inheritance import Command, Inheritance
from unicorn_handover.host.loop import Call
from unicorn_handover.model.orders import Orders
from unicorn_handover.model.phases import Phase
from unicorn_handover.servers import Launch

from ..fake_host import HOST_PID, FakeHost, Section
from ..fake_listener import Made
from ..fake_process import Fake


class Starting(Section):
    """Starts a fake master when it is asked to; the section has changed."""

    def __init__(self, host: FakeHost, pidfile: Path) -> None:
        host.web.options = replace(host.web.options, pidfile=str(pidfile))
        self.started: list[Fake] = []
        self.fault: Exception | None = None
        self._host = host

    def difference(self) -> str:
        return "[program:web] was changed"

    def command(self) -> Command:
        return Command(["unicorn"], "/")

    @property
    def next_launch(self) -> Launch:
        return replace(self.launch, user="changed")

    def start_beside(self, inheritance: Inheritance) -> tuple[int, Call]:
        if self.fault:
            raise self.fault
        fake = self._host.kernel.add(ppid=HOST_PID, forked=False, words=["unicorn master"])
        fake.pgrp = fake.pid
        fake.catches = set(self._host.old.catches)  # type: ignore[attr-defined]
        self._host.known.add(fake.pid)
        self.started.append(fake)
        return fake.pid, lambda: None  # it has not waited

    def reap_beside(self) -> None:
        self._host.web.beside.ended()

    def log_files(self) -> list[str]:
        return []

    def adopt_if_dead(self) -> None:
        pass


class Channel:
    """What the driver is told."""

    has_unread = False

    def __init__(self) -> None:
        self.said: list[Orders] = []

    def say(self, message: dict[str, object]) -> None:
        self.said.append(Orders.from_json(message))


def starting_host(folder: Path, listener: Made) -> FakeHost:
    """A host with a running program, whose section has changed, and a driver."""
    host = FakeHost()
    old = host.start(host.web)
    old.catches = {*old.catches}
    host.old = old  # type: ignore[attr-defined]
    host.kernel.listening[old.pid] = [listener]
    (folder / "pid").write_text(f"{old.pid}\n")
    host.web.supervised = host.web.beside.starter = Starting(host, folder / "pid")
    host.channel = Channel()  # type: ignore[attr-defined]
    host.driver_came(host.channel)  # type: ignore[attr-defined]
    return host


def begin(host: FakeHost) -> Starting:
    """Let the driver report that the host is to start the new master."""
    host.request(host.web)
    host.drive(Phase.STARTING, server="unicorn", method="spawn")
    section = host.web.supervised
    assert isinstance(section, Starting)
    return section


def pid_files(tmp_path: Path) -> dict[str, str]:
    """What the pid files hold."""
    return {path.name: path.read_text() for path in tmp_path.iterdir()}
