"""The commands that speak to a runner."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from itertools import chain

from unicorn_handover.host.command_socket import ask
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
    answers = ask(chosen.control, {"do": "restart", "wait": chosen.wait})
    first = next(answers)
    name, number, outcomes = first["name"], first["number"], chain([first], answers)
    if chosen.wait:
        try:
            outcome = Progress(name, sys.stdout).follow(number, outcomes)
        except KeyboardInterrupt:
            print(unwatched_line(name, number, "unicorn-handover status"))
            return 1
    else:
        *_, outcome = outcomes
    if outcome["ended"] or outcome["reason"]:
        print(*outcome_lines(name, outcome), sep="\n")
    else:
        print(begun_line(name, number))
    return 1 if outcome["reason"] else 0


def steer(chosen: Namespace) -> int:
    """Roll a running handover back, or end its soak now."""
    (answer,) = ask(chosen.control, {"do": chosen.command})
    if answer["reason"]:
        print(*failure_lines(answer["name"], answer["reason"]), sep="\n")
        return 1
    print(f"{answer['name']}: {chosen.command} begun; see `unicorn-handover status`")
    return 0
