"""One caller's restart of a managed program: asked for once, then looked at until it has ended."""

from __future__ import annotations

import os
from typing import Any

from supervisor.options import ProcessException
from supervisor.states import ProcessStates

from unicorn_handover.errors import Refused, printable
from unicorn_handover.host.side import ACCEPTING, looked_at
from unicorn_handover.model.record import Record
from unicorn_handover.progress import struct

from .host import Host
from .process import ManagedSubprocess

# Seconds until Supervisor may ask a deferred answer again. It asks whenever its loop wakes, and
# what changes an answer wakes it; a longer pause would let that wake-up pass, and the next one may
# be a second later. With 0 the loop would spin (http.py, `deferring_http_channel.writable`).
NOT_BEFORE = 0.001


class Restart:
    """A restart that was accepted. Raises Refused if it is not."""

    def __init__(self, host: Host, process: ManagedSubprocess) -> None:
        reason = refusal(host, process)
        if reason:
            raise Refused(reason)
        self._host = host
        self._program = process.namespec
        self._asked = host.system.clock()
        self.number = host.request(self._program)

    def record(self) -> Record | None:
        """The handover, or None while it waits behind another. Raises Refused if it never comes."""
        self._host.tick()
        return self._host.handover(self._program, self.number)

    def accepted(self, record: Record | None) -> bool:
        """True once the driver has looked at it, or it took longer than a caller is to be held."""
        late = self._host.system.clock() >= self._asked + ACCEPTING
        return late or looked_at(record)


def outcome(host: Host, process: ManagedSubprocess, number: int) -> dict[str, Any]:
    """What has become of a handover, in plain types: see the XML-RPC method of that name."""
    host.tick()
    program, now = process.namespec, host.system.clock()
    page, ended = host.ledger.page(program), {}
    try:
        record = host.handover(program, number)
        reason = ""
        if record and record.phase.final:
            ended, reason = struct(record, now), record.reason
    except Refused as why:
        reason = str(why)
    running = struct(page.running, now) if page.running else {}
    return {"ended": ended, "reason": reason, "running": running, "changes": page.changes}


def is_running(process: ManagedSubprocess) -> bool:
    """True if the program is to be handed over: it runs or, while it is STARTING, serves already.

    Supervisor's own restart is right for one that starts, and maybe crashes, again and again.
    """
    if process.master is None:
        return False
    return process.state == ProcessStates.RUNNING or (
        process.state == ProcessStates.STARTING and process.serves
    )


def refusal(host: Host, process: ManagedSubprocess) -> str:
    """What keeps a restart of this running program from being a handover, or ""."""
    error = host.refusal(process)
    if error:
        return str(error)
    section = f"[program:{process.config.name}]"
    try:
        process.get_execv_args()
    except ProcessException as what:
        return f"{section} command: {printable(str(what))}; install it, or correct the command"
    directory = process.config.directory
    if directory and not os.path.isdir(directory):
        return f"{section} directory: {printable(directory)} is not there; make it again"
    if not host.driver_will_come:
        return host.absence()
    return ""
