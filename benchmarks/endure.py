"""Many handovers in one run, by USR2 and by spawn in turn, on a unix socket under load.

    python -m benchmarks.endure --host supervisor --server unicorn --handovers 200

Prints what could grow - descriptors, memory, zombies, processes, files - and what must not happen:
a failed request. Exits with status 1 if a request or a handover has failed, or something was left.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import psutil

from tests.kit.circus_host import CircusHost
from tests.kit.host import Host, Outcome
from tests.kit.hosts import HOSTS
from tests.kit.load import Load
from tests.kit.programs import OTHER_GUNICORNS, Program, gunicorn
from tests.kit.running import folder, running
from tests.kit.supervisor_host import SupervisorHost

WARM = 4  # handovers before anything is counted: what is loaded or opened once is there then
SHOWN_EVERY = 20  # handovers
LONGEST = 86400.0  # seconds of load
SETTLING = 5.0  # seconds for the connections of commands to go

ROW = "{:>9}{:>10}{:>8}{:>13}{:>12}{:>15}{:>14}{:>9}{:>11}"
HEADINGS = (
    "handovers",
    "requests",
    "failed",
    "host's files",
    "host's MB",
    "driver's files",
    "driver's MB",
    "zombies",
    "processes",
)


def main() -> int:
    """Run what was chosen; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endure", description=__doc__)
    parser.add_argument("--host", choices=HOSTS, default="supervisor")
    parser.add_argument("--server", choices=["unicorn", "gunicorn"], default="unicorn")
    parser.add_argument("--version", choices=OTHER_GUNICORNS, help="another gunicorn")
    parser.add_argument("--handovers", type=int, default=200)
    chosen = parser.parse_args()
    server = f"{chosen.server} {chosen.version or ''}".strip()
    print(f"{chosen.handovers} handovers on {chosen.host}, {server}, unix socket")
    with folder() as path:
        web = Program(path, server=chosen.server, unix=True, preload=True)
        if chosen.version:
            web.command = f"{gunicorn(chosen.version)} -c {web.conf} app:application"
        with running(HOSTS[chosen.host](path, [web], {})) as host:
            return _endure(host, chosen.handovers)


def _endure(host: Host, handovers: int) -> int:
    web, failures, seconds = host.programs["web"], 0, {"usr2": [0.0], "spawn": [0.0]}
    print(ROW.format(*HEADINGS))
    with Load(web.address, clients=4, longest=LONGEST) as load:
        for turn in range(1, WARM + handovers + 1):
            began, method = time.monotonic(), ("usr2", "spawn")[turn % 2]
            outcome = _hand_over(host, method, turn)
            seconds[method].append(time.monotonic() - began)
            host.wait_for_rest("web")
            if not (outcome.ok and web.answers(f"v{turn}")):
                failures += 1
                print(f"handover {turn} ({method}): {outcome.text}")
            counted = turn - WARM
            if counted in (0, handovers) or (counted > 0 and counted % SHOWN_EVERY == 0):
                _show(host, counted, load)
    for method, times in seconds.items():
        print(f"{method}: {statistics.median(times[1:]):.2f} s in the middle")
    left = _left(web)
    for answer in load.failures:
        print(f"failed: {answer.outcome} {answer.detail}")
    print(f"left behind: {', '.join(left) or 'nothing'}")
    return int(bool(failures or load.failures or left))


def _hand_over(host: Host, method: str, turn: int) -> Outcome:
    """Put another release on the disk and hand over to it, as an operator does."""
    host.programs["web"].write(f"v{turn}")
    if method == "spawn" and isinstance(host, SupervisorHost):
        host.programs["web"].host_options["environment"] = f'TURN="{turn}"'
        host.write_conf()
        return host.ctl("update")
    if method == "spawn" and isinstance(host, CircusHost):
        env = {**host.ask("options", name="web")["options"]["env"], "TURN": str(turn)}
        host.ask("set", name="web", options={"env": env})
    return host.restart("web")


def _show(host: Host, handovers: int, load: Load) -> None:
    """One line of what may not grow."""
    time.sleep(SETTLING)
    daemon, driver = psutil.Process(host.pid()), psutil.Process(host.driver())
    below = daemon.children(recursive=True)
    zombies = sum(child.status() == psutil.STATUS_ZOMBIE for child in below)
    print(
        ROW.format(
            *(handovers, len(load.answers), len(load.failures)),
            *(daemon.num_fds(), f"{_megabytes(daemon):.1f}"),
            *(driver.num_fds(), f"{_megabytes(driver):.1f}"),
            *(zombies, len(below)),
        ),
        flush=True,
    )


def _megabytes(process: psutil.Process) -> float:
    resident: int = process.memory_info().rss
    return resident / 1e6


def _left(web: Program) -> list[str]:
    """Files of handovers that are over."""
    suffixes = {".oldbin", ".2", ".kept", ".held"}
    return sorted(path.name for path in web.folder.iterdir() if path.suffix in suffixes)


if __name__ == "__main__":
    sys.exit(main())
