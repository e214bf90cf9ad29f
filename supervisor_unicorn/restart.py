"""When a restart of a managed program is a handover, and what keeps it from being one."""

from __future__ import annotations

from typing import Any

from supervisor.options import ProcessConfig, ProcessException
from supervisor.process import Subprocess
from supervisor.states import ProcessStates

from unicorn_handover.errors import Refused, printable
from unicorn_handover.host.program import Program
from unicorn_handover.host.request import Request

from .host import SupervisorSide
from .process import ManagedSubprocess

# Seconds until Supervisor may ask a deferred answer again. It asks whenever its loop wakes, and
# what changes an answer wakes it; a longer pause would let that wake-up pass, and the next one may
# be a second later. With 0 the loop would spin (http.py, `deferring_http_channel.writable`).
NOT_BEFORE = 0.001


def request(side: SupervisorSide, process: ManagedSubprocess) -> Request:
    """Ask for a handover of a running program. Raises Refused if there can be none."""
    reason = refusal(side, process)
    if reason:
        raise Refused(reason)
    return Request(side, process.program)


def outcome(side: SupervisorSide, program: Program, number: int) -> dict[str, Any]:
    """What has become of a handover, in plain types: see the XML-RPC method of that name."""
    side.tick()
    asked = Request(side, program, number)
    return {**asked.outcome(), "changes": program.handovers.changes}


def is_running(process: ManagedSubprocess) -> bool:
    """True if the program is to be handed over: it runs or, while it is STARTING, serves already.

    Supervisor's own restart is right for one that starts, and maybe crashes, again and again.
    """
    if process.program.master is None:
        return False
    return process.state == ProcessStates.RUNNING or (
        process.state == ProcessStates.STARTING and process.program.serves()
    )


def refusal(
    side: SupervisorSide, process: ManagedSubprocess, config: ProcessConfig | None = None
) -> str:
    """What keeps a restart of this running program from being a handover, or "".

    `config` is the configuration that its next master is to be started by, if it is a new one.
    """
    if process.program.refusal:
        return process.program.refusal
    config = config or process.config
    section = f"[program:{config.name}]"
    try:
        Subprocess(config).get_execv_args()
    except ProcessException as what:
        return f"{section} command: {printable(str(what))}; install it, or correct the command"
    directory = config.directory
    if directory and not side.system.is_directory(directory):
        return f"{section} directory: {printable(directory)} is not there; make it again"
    return "" if side.drivers.will_come else side.why_no_driver()
