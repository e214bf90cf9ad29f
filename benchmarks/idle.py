"""What the plugin costs while nothing is restarted: processor time and memory, side by side."""

from __future__ import annotations

import contextlib
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.kit.host import Host
from tests.kit.running import folder, running

from .restarts import application

SETTLING = 12.0  # seconds until start-up work is over: Supervisor's startsecs, Circus's first check

EMPTY = {  # a driver's process that does nothing, in each host's way to have one
    "supervisor": f"""\
[eventlistener:empty]
command = {sys.executable} -c "from supervisor.childutils import listener; listener.wait()"
events = TICK_3600
""",
    "circus": """\
[plugin:empty]
use = circus.plugins.CircusPlugin
""",
}


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor time per minute, and megabytes resident."""

    host_ms: float
    plugin_ms: float
    host_mb: float
    plugin_mb: float


class Costs(NamedTuple):
    """Of a host without the plugin, with it, and with a driver's process that does nothing."""

    without: Cost
    with_it: Cost
    empty: Cost


def measure(host_kind: type[Host], server: str, seconds: float) -> Costs:
    """Run the three hosts side by side; return what each costs."""
    with ExitStack() as stack:
        hosts = []
        for managed, sections in ((False, ""), (True, ""), (False, EMPTY[host_kind.name])):
            path = stack.enter_context(folder())
            host = host_kind(path, [application(path, server)], {})
            host.plugin = host.plugin if managed else ""
            host.more = sections
            hosts.append(stack.enter_context(running(host)))
        time.sleep(SETTLING)
        before = [spent(host) for host in hosts]
        time.sleep(seconds)
        after = [spent(host) for host in hosts]
        return Costs(*(cost(h, b, a, seconds) for h, b, a in zip(hosts, before, after)))


def _processes(host: Host) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The host's process, and those of the plugin: its children but for the program."""
    itself = psutil.Process(host.pid())
    master = host.master("web")
    return [itself], [child for child in itself.children() if child.pid != master]


def spent(host: Host) -> tuple[float, float]:
    """Milliseconds of processor time so far, of the host and of the plugin's own process."""
    itself, plugin = _processes(host)
    return sum(map(_milliseconds, itself)), sum(map(_milliseconds, plugin))


def _milliseconds(process: psutil.Process) -> float:
    """Processor time of all threads so far, from the scheduler, which counts nanoseconds."""
    total = 0.0
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int((thread / "schedstat").read_text().split()[0]) / 1e6
    return total


def cost(
    host: Host, before: tuple[float, float], after: tuple[float, float], seconds: float
) -> Cost:
    """What `spent` gave before and after so many seconds, as a cost."""
    itself, plugin = _processes(host)
    scale = 60 / seconds
    return Cost(
        (after[0] - before[0]) * scale,
        (after[1] - before[1]) * scale,
        sum(one.memory_info().rss for one in itself) / 1e6,
        sum(one.memory_info().rss for one in plugin) / 1e6,
    )
