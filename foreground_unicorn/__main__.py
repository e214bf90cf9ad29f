"""The command `unicorn-handover`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from unicorn_handover import __version__
from unicorn_handover.errors import PREFIX, Refused, complain
from unicorn_handover.kernel.spawn import CannotRun

from . import commands, run

NAME = "unicorn-handover.sock"
Act = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and ends with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print it and exit."""
        self.exit(2, f"{PREFIX}{message}; see `{self.prog} --help`\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit status: of `run` that of the program, 1 for a refusal.

    Ends with exit status 2 for a mistake on the command line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    cut = words.index("--") if "--" in words else len(words)
    parser = _parser()
    chosen = parser.parse_args(words[:cut])
    chosen.words = words[cut + 1 :]
    if chosen.command == "run" and not chosen.words:
        parser.error("run needs the command after --, as in `run -- unicorn -c unicorn.rb`")
    if chosen.command != "run" and cut < len(words):
        parser.error(f"{chosen.command} takes no command")
    try:
        status: int = chosen.act(chosen)
    except Refused as refusal:
        complain(f"{PREFIX}{refusal}")
        return refusal.status if isinstance(refusal, CannotRun) else 1
    return status


def _parser() -> Parser:
    parser = Parser(
        prog="unicorn-handover",
        description="Runs a unicorn, gunicorn or nginx in the foreground; HUP, USR2 and `restart` "
        "hand it over to a new master without losing a request.",
        allow_abbrev=False,
    )
    parser.set_defaults(error=parser.error)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    added = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    run.add_options(_added(added, "run", "run a command until it ends", run.run))
    _added(added, "status", "show handovers, running and ended", commands.status).add_argument(
        "--json", action="store_true", help="for scripts"
    )
    _added(added, "restart", "hand over to a new master", commands.restart).add_argument(
        "--wait", action="store_true", help="return when the new master is adopted, or fail"
    )
    _added(added, "rollback", "back a running handover out", commands.steer)
    _added(added, "promote", "end the soak of a running handover now", commands.steer)
    return parser


def _added(
    parsers: argparse._SubParsersAction[Parser], name: str, purpose: str, act: Act
) -> argparse.ArgumentParser:
    parser = parsers.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
    # In systemd's RuntimeDirectory, or else here.
    control = os.path.join(os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0], NAME)
    parser.add_argument("--control", metavar="PATH", default=control, help="the runner's socket")
    parser.set_defaults(act=act)
    return parser


if __name__ == "__main__":
    sys.exit(main())
