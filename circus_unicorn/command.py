"""The command `circus_unicorn`: shows handovers, and rolls back or promotes one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from circus.client import CircusClient
from circus.exc import CallError
from circus.util import DEFAULT_ENDPOINT_DEALER
from zmq.error import ZMQError

from unicorn_handover import __version__
from unicorn_handover.progress import status_line, warnings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit status: 1 if circusd does not answer, 3 if it refuses."""
    chosen = _parser().parse_args(arguments)
    try:
        answer = _ask(chosen)
    except (CallError, ZMQError) as error:
        print(f"{chosen.endpoint or '--endpoint'}: {error}", file=sys.stderr)
        return 1
    if answer["status"] != "ok":
        print(f"error: {_reason(answer)}", file=sys.stderr)
        return 3
    if chosen.command == "status" and not answer["watchers"] and not chosen.json:
        print("error: no watcher of this circusd is managed", file=sys.stderr)
        return 3
    _show(chosen, answer)
    return 0


def _ask(chosen: argparse.Namespace) -> dict[str, Any]:
    client = CircusClient(endpoint=chosen.endpoint, timeout=chosen.timeout)
    names: dict[str, Any] = {"name": chosen.name} if chosen.name else {}
    if chosen.command == "leave" and chosen.names != ["all"]:
        names["names"] = chosen.names
    try:
        answer: dict[str, Any] = client.send_message("unicorn", do=chosen.command, **names)
    finally:
        client.stop()
    return answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circus_unicorn",
        description="Shows and steers the handovers of the watchers that circus_unicorn manages. "
        "They are begun by `circusctl restart`.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    # As circusctl finds it.
    endpoint = os.environ.get("CIRCUSCTL_ENDPOINT", DEFAULT_ENDPOINT_DEALER)
    parser.add_argument("--endpoint", default=endpoint, help="circusd's endpoint")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds to wait for circusd")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    status = commands.add_parser("status", help="show handovers, running and ended")
    status.add_argument("name", nargs="?", metavar="NAME", help="a watcher; all, if not given")
    status.add_argument("--json", action="store_true", help="for scripts")
    rollback = commands.add_parser("rollback", help="back a running handover out")
    promote = commands.add_parser("promote", help="end the soak of a running handover now")
    leave = commands.add_parser("leave", help="let masters outlive circusd")
    for command in (rollback, promote):
        command.add_argument("name", metavar="NAME", help="a watcher")
    leave.add_argument("names", nargs="+", metavar="NAME", help="watchers, or all")
    leave.set_defaults(name="")
    for command in (status, rollback, promote, leave):
        command.add_argument("--endpoint", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.add_argument(
            "--timeout", type=float, default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
    return parser


def _reason(answer: dict[str, Any]) -> str:
    if "unknown command" in str(answer.get("reason")):
        return "this circusd has no [plugin:...] with use = circus_unicorn.UnicornPlugin"
    return str(answer.get("reason"))


def _show(chosen: argparse.Namespace, answer: dict[str, Any]) -> None:
    if chosen.command == "leave":
        for name in answer["left"]:
            print(f"{name}: runs on when circusd ends, for the next circusd to take over")
    elif chosen.command != "status":
        print(f"{chosen.name}: {chosen.command} begun; see `circus_unicorn status {chosen.name}`")
    elif chosen.json:
        print(json.dumps(answer["watchers"], indent=2))
    else:
        watchers = answer["watchers"]
        for line in [*map(status_line, watchers), *warnings(watchers)]:
            print(line)
