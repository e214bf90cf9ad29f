"""The host's descriptors, over many crashes and handovers of a program whose sockets it holds."""

from __future__ import annotations

import gc
import heapq
import itertools
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence

import pytest

from unicorn_handover.host.master import Master
from unicorn_handover.host.side import HostSide
from unicorn_handover.kernel.listeners import Listener
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options
from unicorn_handover.model.record import Record
from unicorn_handover.servers import SERVERS
from unicorn_handover.servers.gunicorn import Gunicorn

from ..fake_host import Section

ROUNDS = 200


class Sleeper(Gunicorn):
    """`sleep` with a listening socket: a server that is ready at once, and its own worker."""

    def accepts_signals(self, system: System, pid: int) -> bool:
        return True

    def workers(self, system: System, master: int) -> dict[int, bool]:
        return {master: True}

    def own_listeners(
        self, system: System, master: int, found: Sequence[Listener]
    ) -> list[Listener]:
        return list(found)


class Loop:
    """Timers that ring when a test lets the time pass; what is watched is not looked at."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._cancelled: set[int] = set()

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        pass

    def unwatch(self, descriptor: int) -> None:
        pass

    def after(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        number = next(self._order)
        heapq.heappush(self._timers, (seconds, number, call))
        return lambda: self._cancelled.add(number)

    def running(self) -> int:
        return len([number for _, number, _ in self._timers if number not in self._cancelled])


class Site(HostSide):
    """A host on the real kernel, with one program."""

    daemon = "test"

    def __init__(self) -> None:
        self.timers = Loop()
        super().__init__(System(), self.timers)  # type: ignore[arg-type]
        self.web = self.manage("web", Options(server="sleeper"))
        self.web.supervised = Section()
        self.children: dict[int, subprocess.Popen[bytes]] = {}
        self.lines: list[str] = []

    def start(self, sockets: Sequence[int]) -> int:
        """Start a process that has these descriptors, and return its pid."""
        child = subprocess.Popen(["sleep", "600"], pass_fds=sockets)
        self.children[child.pid] = child
        return child.pid

    def end(self, pid: int) -> None:
        """Kill one and reap it."""
        child = self.children.pop(pid)
        child.kill()
        child.wait()

    def known_pids(self) -> dict[int, subprocess.Popen[bytes]]:
        return self.children

    def log(self, level: int, text: str) -> None:
        self.lines.append(text)

    def publish(self, record: Record) -> None:
        pass

    def why_no_driver(self) -> str:
        return ""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A host; what it has started is killed in the end."""
    monkeypatch.setitem(SERVERS, "sleeper", Sleeper())
    site = Site()
    yield site
    for pid in list(site.children):
        site.end(pid)


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


def crash(site: Site, master: Master) -> Master:
    """The master dies, and the next one is started on the sockets that are held."""
    site.end(master.pid)
    assert site.web.died(master) is None
    copies = site.web.held.give()
    assert copies
    return site.web.hold(site.start(copies.numbers), lambda: None)


def hand_over(site: Site, master: Master) -> Master:
    """Another master is there when it dies, and adopted."""
    assert master.process
    copies = site.system.listeners(master.process)
    new = site.start([each.socket.fileno() for each in copies])
    for each in copies:
        each.close()
    site.end(master.pid)
    assert site.web.died(master) is None  # no proof fits a `sleep`: it is held by its number
    successor = site.system.hold(new)
    assert successor
    master.replace(successor)
    site.web.adopted(master)
    return master


def test_no_descriptor_is_lost_in_crashes_and_handovers(site: Site) -> None:
    """As many are open after 200 as after the first, and none when the program is forgotten."""
    gc.collect()  # or what another test has left is closed while this one counts
    before = descriptors()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        master = site.web.hold(site.start([listening.fileno()]), lambda: None)
        address = listening.getsockname()
    counts = set()
    for number in range(ROUNDS):
        master = (hand_over if number % 2 else crash)(site, master)
        counts.add(descriptors())
    assert counts == {before + 2}, site.lines  # a pidfd and one socket
    socket.create_connection(address).close()
    assert site.timers.running() == 0
    site.forget("web", "the program was removed")
    assert descriptors() == before
