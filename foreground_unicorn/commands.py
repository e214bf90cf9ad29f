"""The commands that speak to a runner."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from unicorn_handover.errors import printable
from unicorn_handover.progress import Progress, status_line

from .control import Answer, ask


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
        watched = f"handover {answer['number']} is not watched any more"
        print(f"{answer['name']}: {watched}; see `unicorn-handover status`")
        return 1
    finally:
        if show:
            show.close()
    return _print_outcome(answer)


def _print_outcome(answer: Answer) -> int:
    name, ended = answer["name"], answer["ended"]
    if answer["reason"]:
        return _failed(name, answer["reason"], ended.get("output", []))
    if not ended:
        print(f"{name}: started (handover {answer['number']} is under way)")
    else:
        pids = f"pid {ended['old_pid']} -> {ended['new_pid']}"
        print(f"{name}: started ({pids} in {ended['seconds']:.1f} s)")
    return 0


def _failed(name: str, reason: str, output: list[str]) -> int:
    print(f"{name}: ERROR ({reason})")
    for line in output:
        print(f"    | {printable(line)}")
    return 1


def steer(chosen: Namespace) -> int:
    """Roll a running handover back, or end its soak now."""
    (answer,) = ask(chosen.control, {"do": chosen.command})
    if answer["reason"]:
        return _failed(answer["name"], answer["reason"], [])
    print(f"{answer['name']}: {chosen.command} begun; see `unicorn-handover status`")
    return 0
