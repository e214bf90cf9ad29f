"""What a start on copied sockets costs the host's loop: the time until it has the copies."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from examples.demo.hosts import Failed, Host
from examples.demo.servers import App
from unicorn_handover.host.copies import Copies
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.system import System
from unicorn_handover.servers import SERVERS, Server

TIMES = 200


def measure(host_kind: type[Host], app_kind: type[App]) -> list[float]:
    """Take the copies of a real master's sockets TIMES times; return the milliseconds of each."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        app = app_kind(Path(name))
        app.publish("1")
        system = System()
        with host_kind(Path(name), app, managed=False) as host:
            master = system.hold(host.master())
            if master is None:
                raise Failed(f"{host.name} names no living master")
            try:
                return [_once(system, master, SERVERS[app.server]) for _ in range(TIMES)]
            finally:
                master.close()


def _once(system: System, master: Process, server: Server) -> float:
    began = time.perf_counter()
    copies = Copies(system, master, server)
    took = time.perf_counter() - began
    copies.close()
    return took * 1000


def described(milliseconds: list[float]) -> str:
    """One line: the middle one and the slowest."""
    middle, slowest = statistics.median(milliseconds), max(milliseconds)
    return f"copies of the sockets: {middle:.2f} ms, the slowest of {TIMES} {slowest:.2f} ms"
