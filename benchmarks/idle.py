"""What the plugin costs while nothing is restarted: processor time of the host and its plugin."""

from __future__ import annotations

import contextlib
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from examples.demo.hosts import Host
from examples.demo.servers import App

SETTLING = 12.0  # seconds until start-up work is over: Supervisor's startsecs, Circus's first check


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor time per minute, and megabytes resident."""

    host_ms: float
    plugin_ms: float
    host_mb: float
    plugin_mb: float


def measure(host_kind: type[Host], app_kind: type[App], seconds: float) -> tuple[Cost, Cost]:
    """Run a host without and one with the plugin side by side; return the costs of both."""
    with ExitStack() as stack:
        hosts = []
        for managed in (False, True):
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
            app = app_kind(Path(name))
            app.publish("1")
            hosts.append(stack.enter_context(host_kind(Path(name), app, managed=managed)))
        time.sleep(SETTLING)
        before = [_spent(host) for host in hosts]
        time.sleep(seconds)
        after = [_spent(host) for host in hosts]
        costs = [_cost(host, b, a, seconds) for host, b, a in zip(hosts, before, after)]
        return costs[0], costs[1]


def _processes(host: Host) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The host's process, and those of the plugin: its children but for the program."""
    assert host.process is not None
    itself = psutil.Process(host.process.pid)
    master = host.master()
    return [itself], [child for child in itself.children() if child.pid != master]


def _spent(host: Host) -> tuple[float, float]:
    itself, plugin = _processes(host)
    return sum(map(_milliseconds, itself)), sum(map(_milliseconds, plugin))


def _milliseconds(process: psutil.Process) -> float:
    """Processor time of all threads so far, from the scheduler, which counts nanoseconds."""
    total = 0.0
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int((thread / "schedstat").read_text().split()[0]) / 1e6
    return total


def _cost(
    host: Host, before: tuple[float, float], after: tuple[float, float], seconds: float
) -> Cost:
    itself, plugin = _processes(host)
    scale = 60 / seconds
    return Cost(
        (after[0] - before[0]) * scale,
        (after[1] - before[1]) * scale,
        sum(one.memory_info().rss for one in itself) / 1e6,
        sum(one.memory_info().rss for one in plugin) / 1e6,
    )
