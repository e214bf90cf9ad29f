"""The commands that speak to a runner."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from unicorn_handover.host.command_socket import Answer, ask
from unicorn_handover.progress import (
    Progress,
    begun_line,
    failure_lines,
    outcome_lines,
    status_line,
    unwatched_line,
)


def status(chosen: Namespace) -> int:
    """Show the handovers, running and ended."""
    (answer,) = ask(chosen.control, {"do": "status"})
    print(json.dumps(answer, indent=2) if chosen.json else status_line(answer))
    return 0


def restart(chosen: Namespace) -> int:
    """Begin a handover; with `--wait`, return when it has ended."""
    answer: Answer = {}
    show: Progress | None = None
    try:
        for answer in ask(chosen.control, {"do": "restart", "wait": chosen.wait}):
            if chosen.wait and answer["running"]:
                show = show or Progress(answer["name"], sys.stdout)
                show.update(answer["running"], answer["number"])
        if show:
            show.passed(answer["ended"].get("passed", []))
    except KeyboardInterrupt:
        if show is None:
            raise
        print(unwatched_line(answer["name"], answer["number"], "unicorn-handover status"))
        return 1
    finally:
        if show:
            show.close()
    return _print_outcome(answer)


def _print_outcome(answer: Answer) -> int:
    name = answer["name"]
    if answer["ended"] or answer["reason"]:
        print(*outcome_lines(name, answer), sep="\n")
    else:
        print(begun_line(name, answer["number"]))
    return 1 if answer["reason"] else 0


def steer(chosen: Namespace) -> int:
    """Roll a running handover back, or end its soak now."""
    (answer,) = ask(chosen.control, {"do": chosen.command})
    if answer["reason"]:
        print(*failure_lines(answer["name"], answer["reason"]), sep="\n")
        return 1
    print(f"{answer['name']}: {chosen.command} begun; see `unicorn-handover status`")
    return 0
