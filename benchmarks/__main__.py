"""Restarts four ways and idle costs, in one run, as ratios. benchmarks/README.md: how to read it.

Nothing is asserted here: the promises are tested by what happens, not by how long it takes.
"""

from __future__ import annotations

import argparse
import signal
import sys

from tests.kit.host import Host
from tests.kit.hosts import HOSTS
from tests.kit.programs import installed
from tests.kit.running import Failed, end_leftovers
from unicorn_handover.kernel.system import System

from . import copies, held, idle, restarts, runit
from .restarts import Outcome

SERVERS = ("unicorn", "gunicorn")


def main() -> int:
    """Run what was chosen; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--host", choices=[*HOSTS, "runit", "all"], default="all")
    parser.add_argument("--server", choices=SERVERS, help="unicorn, if it is installed")
    parser.add_argument("--boot", type=float, default=3.0, help="seconds a release loads (3)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of idling (60)")
    chosen = parser.parse_args()
    server = chosen.server or ("unicorn" if installed("unicorn") else "gunicorn")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    System().become_subreaper()  # USR2 by hand leaves a master that no supervisor ends
    try:
        for name, host in HOSTS.items():
            if chosen.host in (name, "all"):
                report_restarts(host, server, chosen.boot)
                report_idle(host, server, chosen.idle)
                report_held(host, server, chosen.idle / 3)
        if chosen.host in ("runit", "all") and runit.is_possible():
            runit.report(chosen.boot)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        end_leftovers()
    return 0


def report_restarts(host: type[Host], server: str, boot: float) -> None:
    """Measure and print the ways of restarting, and what a spawn costs beside a USR2."""
    outcomes = {}
    for way in restarts.WAYS:
        outcomes[way] = restarts.measure(way, host, server, boot)
        end_leftovers()
    print(f"\n{host.name.capitalize()}, {server}, 4 workers, loads for {boot:g} s; 8 clients\n")
    row = "{:<29}{:>9}{:>10}{:>13}{:>12}{:>10}   {}"
    headings = (
        "requests",
        "failed",
        "longest gap",
        "new serves",
        "command",
        "host knows the master",
    )
    print(row.format("", *headings))
    for one in outcomes.values():
        times = (f"{one.gap:.2f} s", f"{one.serving:.1f} s", f"{one.seconds:.1f} s")
        known = "yes" if one.known else "no"
        print(row.format(one.way, one.requests, one.failed, *times, known))
    ours = outcomes.pop("handover")
    for other in outcomes.values():
        print(row.format(f"{other.way} / handover", "", *ratios(other, ours), ""))
    print(against(outcomes[restarts.SPAWN], ours))
    for line in copies.measure(host, server):
        print(line)
    sys.stdout.flush()


def against(spawn: Outcome, usr2: Outcome) -> str:
    """The way by spawn in multiples of the way by USR2, of the same application."""
    ratio = spawn.seconds / usr2.seconds
    times = f"{spawn.seconds:.2f} s : {usr2.seconds:.2f} s"
    return f"handover by spawn : by USR2, command: {times}, x {ratio:.3f}"


def ratios(other: Outcome, ours: Outcome) -> list[str]:
    """Failed requests, and the times of one way as multiples of ours."""
    pairs = (
        (other.gap, ours.gap),
        (other.serving, ours.serving),
        (other.seconds, ours.seconds),
    )
    return [f"{other.failed} : {ours.failed}", *(f"x {a / b:.1f}" for a, b in pairs)]


def report_idle(host: type[Host], server: str, seconds: float) -> None:
    """Measure and print what the plugin costs while nothing happens."""
    without, with_it, empty = idle.measure(host, server, seconds)
    daemon = "circusd" if host.name == "circus" else "supervisord"
    print(idle_title(host, seconds))
    row = "{:<28}{:>16}{:>16}{:>10}"
    print(row.format("", "without", "with", "ratio"))
    ratio = f"x {with_it.host_ms / max(without.host_ms, 0.001):.2f}"
    cells = (f"{without.host_ms:.0f} ms/min", f"{with_it.host_ms:.0f} ms/min", ratio)
    print(row.format(f"{daemon}, processor", *cells))
    print(row.format("driver, processor", "-", f"{with_it.plugin_ms:.1f} ms/min", ""))
    ratio = f"x {with_it.host_mb / without.host_mb:.2f}"
    cells = (f"{without.host_mb:.1f} MB", f"{with_it.host_mb:.1f} MB", ratio)
    print(row.format(f"{daemon}, memory", *cells))
    ratio = f"x {with_it.plugin_mb / empty.plugin_mb:.2f}"
    cells = (f"{empty.plugin_mb:.1f} MB (empty)", f"{with_it.plugin_mb:.1f} MB", ratio)
    print(row.format("driver, memory", *cells))
    sys.stdout.flush()


def idle_title(host: type[Host], seconds: float) -> str:
    """The line over what is measured while nothing happens."""
    name = host.name.capitalize()
    return f"\n{name} idle for {seconds:g} s, without and with the plugin, side by side\n"


def report_held(host: type[Host], server: str, seconds: float) -> None:
    """Measure and print what many programs cost whose sockets are held."""
    if not held.installed():
        print("\nwithout perl there are no stand-ins for many programs")
        return
    print(idle_title(host, seconds))
    row = "{:<28}{:>16}{:>16}{:>10}{:>12}{:>12}{:>10}"
    headings = ("processor without", "with", "ratio", "MB without", "with", "ratio")
    print(row.format("programs held", *headings))
    for programs in held.SIZES:
        without, with_it = held.measure(host, server, programs, seconds)
        cells = (f"{without.host_ms:.0f} ms/min", f"{with_it.host_ms:.0f} ms/min")
        ratios = (with_it.host_ms / max(without.host_ms, 0.001), with_it.host_mb / without.host_mb)
        memory = (f"{without.host_mb:.1f}", f"{with_it.host_mb:.1f}")
        print(row.format(programs, *cells, f"x {ratios[0]:.2f}", *memory, f"x {ratios[1]:.2f}"))
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
