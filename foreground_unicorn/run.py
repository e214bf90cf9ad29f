"""`unicorn-handover run`: its options, and how it ends."""

from __future__ import annotations

import os
import resource
import signal
from argparse import ArgumentParser, Namespace
from dataclasses import fields

from unicorn_handover.errors import Refused, printable
from unicorn_handover.host.command_socket import CommandSocket
from unicorn_handover.host.notes import Notes
from unicorn_handover.kernel.private_folder import PrivateFolder
from unicorn_handover.model.options import Options, parse

from .answers import Answers
from .host import Runner
from .side import ForegroundSide
from .signals import Signals


def add_options(parser: ArgumentParser) -> None:
    """Add those of `run`: its own, and one for each that all hosts have."""
    parser.add_argument("--name", metavar="NAME", help="in messages; default: the directory's name")
    parser.add_argument(
        "--respawn",
        action="store_true",
        help="start the program again when it ends; default: end with its exit status",
    )
    for option in fields(Options):
        default = f"default: {option.default:g}" if isinstance(option.default, float) else None
        parser.add_argument(_spelled(option.name), metavar="VALUE", help=default)


def _spelled(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def run(chosen: Namespace) -> int:
    """Run a command to its end and return its exit status. Raises Refused, and CannotRun.

    Ends by the signal that ended the program, where a process can (not as PID 1).
    """
    side = ForegroundSide(_name(chosen), _options(chosen))
    unfit = side.system.unfit()
    if unfit:
        raise Refused(unfit)
    side.notes = _notes(chosen.control, side)
    try:
        status = _supervised(chosen, side)
    finally:
        side.close_notes()
    return _end_like(status)


def _options(chosen: Namespace) -> Options:
    """The options of the command line, read as those of a configuration file are."""
    given = {field.name: getattr(chosen, field.name) for field in fields(Options)}
    written = {name: text for name, text in given.items() if text is not None}
    settings = parse("run", {"programs": "web", **written})
    for error in settings.errors:
        chosen.error(f"{_spelled(error.key)}: {error.problem}; {error.fix}")
    return settings.programs["web"]


def _name(chosen: Namespace) -> str:
    name: str = chosen.name or os.path.basename(os.getcwd())
    return name or os.path.basename(chosen.words[0])


def _notes(control: str, side: ForegroundSide) -> Notes:
    """What is remembered for the next runner with the same socket; one at a time has it."""
    parent = os.path.dirname(control) or "."
    if not side.system.is_directory(parent):
        raise Refused(f"there is no folder {printable(parent)}; name another place by --control")
    try:
        folder = PrivateFolder(f"{control}.state", "")
    except Refused as why:
        raise Refused(
            f"{why}; end the runner that has it, or name another place by --control"
        ) from None
    identity = f"{side.daemon} {side.system.real_path(control)}"
    return Notes(folder, identity, side.system, side.log)


def _supervised(chosen: Namespace, side: ForegroundSide) -> int:
    runner = Runner(side, chosen.words, chosen.respawn)
    Signals(side, runner).hear()
    try:
        control = CommandSocket(chosen.control, side.loop, Answers(side, runner.stop).to)
    except OSError as error:
        raise Refused(
            f"cannot have {printable(chosen.control)}: {error.strerror or error}; name another "
            "place by --control"
        ) from None
    side.watch = control.update
    if side.notes:
        side.notes.report_others(side.programs)
    side.rest()
    try:
        return runner.run()
    finally:
        control.close()


def _end_like(status: int) -> int:
    """End as the program did: by the same signal, or with its exit status."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if os.getpid() != 1:  # which the kernel keeps from that
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return 128 - code
