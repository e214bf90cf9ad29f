"""Restarts a good and then a broken release under load, on real supervisors, before your eyes.

The exit status is 0 only if all held: no request failed, the good release serves after its restart
and still after the broken one's, status names the master that serves, and the operator was told.
"""

from __future__ import annotations

import argparse
import signal
import sys
import textwrap
from collections.abc import Sequence

from tests.kit.host import Host
from tests.kit.hosts import ALL
from tests.kit.programs import installed
from tests.kit.running import Failed, end_leftovers
from unicorn_handover.kernel.system import System

from .scenario import Restart, demonstrate
from .screen import BOLD, DIM, GREEN, RED, Screen

SERVERS = ("unicorn", "gunicorn")
COLUMNS = "{:<12}{:<18}{:>9}{:>8}{:>10}   {:<17}{:>8}   {}"
HEADINGS = ("host", "restart on", "requests", "failed", "longest", "master's pid", "seconds")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--host", choices=[*ALL, "all"], default="all")
    parser.add_argument("--server", choices=["auto", *SERVERS], default="auto")
    chosen = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _: sys.exit(128 + signum))
    System().become_subreaper()  # so that whatever a host may leave is found below, and ended
    screen = Screen()
    try:
        hosts = ALL.values() if chosen.host == "all" else [ALL[chosen.host]]
        return run(screen, list(hosts), server(screen, chosen.server))
    except Failed as failure:
        screen.say(str(failure), RED)
        return 1
    except KeyboardInterrupt:
        screen.say("Stopped; nothing is left running.", DIM)
        return 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_leftovers()


def server(screen: Screen, name: str) -> str:
    """Choose the server: unicorn, or gunicorn where there is none."""
    if name == "auto":
        name = "unicorn" if installed("unicorn") else "gunicorn"
        if name == "gunicorn":
            screen.say("unicorn is not installed here, so this runs on gunicorn.", BOLD)
    if not installed(name):
        raise Failed(f"{name} is not installed")
    return name


def run(screen: Screen, hosts: list[type[Host]], name: str) -> int:
    """Demonstrate it on each host and print the table; return the exit status."""
    screen.say("A digit is the release that answered, + more than one, ! a failed request.", DIM)
    restarts = [restart for host in hosts for restart in demonstrate(host, name, screen)]
    left = end_leftovers()
    faults = [f"{one.host}: {fault}" for one in restarts for fault in one.faults()]
    if left:
        faults.append(f"{left} processes were left when the hosts had ended")
    table(screen, restarts)
    screen.say()
    for fault in faults:
        screen.say(f"DID NOT HOLD: {fault}", RED, BOLD)
    if not faults:
        total = sum(len(one.answers) for one in restarts)
        screen.say(f"All held: {total:,} requests, none failed.", GREEN, BOLD)
    return 1 if faults else 0


def table(screen: Screen, restarts: Sequence[Restart]) -> None:
    """Print what came of the restarts."""
    screen.say()
    screen.say(COLUMNS.format(*HEADINGS, "serves now"), BOLD)
    for one in restarts:
        pids = f"{one.old} -> {one.new}" if one.old != one.new else f"{one.old} stays"
        serving = ", ".join(sorted({f"release {answer.release[1:]}" for answer in one.after}))
        numbers = (f"{len(one.answers):,}", len(one.failed), f"{one.gap * 1000:.0f} ms")
        title = "a good release" if one.good else "a broken release"
        seconds = f"{one.seconds:.1f}"
        screen.say(COLUMNS.format(one.host, title, *numbers, pids, seconds, serving))
        told = f"told: {one.verdict or 'nothing'}"
        for line in textwrap.wrap(told, max(40, screen.width - 14), subsequent_indent="      "):
            screen.say(f"{'':12}{line}", DIM)


if __name__ == "__main__":
    sys.exit(main())
