"""What a start on copied sockets costs the host's loop: the time until it has the copies."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from examples.demo.hosts import Failed, Host
from examples.demo.servers import App
from unicorn_handover.family.served import listening_numbers
from unicorn_handover.host.copies import Copies
from unicorn_handover.kernel.system import System
from unicorn_handover.servers import SERVERS

TIMES = 200
MANY = 2000  # files that a master has open


def measure(host_kind: type[Host], app_kind: type[App]) -> Iterator[str]:
    """Take the copies of real masters' sockets TIMES times; yield a line for each kind of taking.

    In a handover the driver has searched the master's descriptors before. At a first start, and
    after a crash, the host does that itself when it is to hold them.
    """
    for files in (0, MANY):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            app = app_kind(Path(name))
            app.publish("1")
            app.open_files(files)
            with host_kind(Path(name), app, managed=False) as host:
                yield from _lines(host, app, files)


def _lines(host: Host, app: App, files: int) -> Iterator[str]:
    system, server = System(), SERVERS[app.server]
    master = system.hold(host.master())
    if master is None:
        raise Failed(f"{host.name} names no living master")
    known = listening_numbers(system, master)
    yield _described("in a handover", files, lambda: Copies(system, master, server, known))
    yield _described("at a first start", files, lambda: Copies(system, master, server))
    master.close()


def _described(what: str, files: int, take: Callable[[], Copies]) -> str:
    """One line: the middle one and the slowest."""
    milliseconds = [_once(take) for _ in range(TIMES)]
    middle, slowest = statistics.median(milliseconds), max(milliseconds)
    besides = f", {files:,} files open" if files else ""
    return f"copies {what}{besides}: {middle:.2f} ms, the slowest of {TIMES} {slowest:.2f} ms"


def _once(take: Callable[[], Copies]) -> float:
    began = time.perf_counter()
    copies = take()
    took = time.perf_counter() - began
    copies.close()
    return took * 1000
