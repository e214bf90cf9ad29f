"""One caller's restart of a managed program: asked for once, then looked at until it has ended."""

from __future__ import annotations

import os

from supervisor.options import ProcessException
from supervisor.states import RUNNING_STATES

from unicorn_handover.errors import Refused, printable
from unicorn_handover.record import Record
from unicorn_handover.states import Phase

from .host import Host
from .process import ManagedSubprocess

# Seconds until Supervisor may ask a deferred answer again. It asks whenever its loop wakes, and
# what changes an answer wakes it; a longer pause would let that wake-up pass, and the next one may
# be a second later. With 0 the loop would spin (http.py, `deferring_http_channel.writable`).
NOT_BEFORE = 0.001
ACCEPTING = 2.0  # seconds a caller who does not wait is held for the driver's first look


class Restart:
    """A restart that was accepted. Raises Refused if it is not."""

    def __init__(self, host: Host, process: ManagedSubprocess) -> None:
        reason = refusal(host, process)
        if reason:
            raise Refused(reason)
        self._host = host
        self._program = process.namespec
        self._asked = host.system.clock()
        self.number = host.ledger.request(self._program)

    def record(self) -> Record | None:
        """The handover, or None while it waits behind another. Raises Refused if it never comes."""
        ledger = self._host.ledger
        ledger.tick(self._host.absence())
        record = ledger.find(self._program, self.number)
        if record is None and ledger.page(self._program).following != self.number:
            raise Refused("it was waiting behind a handover that was cancelled")
        if ledger.driver_is_overdue and not (record and record.phase.final):
            raise Refused(self._host.stranded(record))
        return record

    def accepted(self) -> bool:
        """True once the driver has looked at it, or it took longer than a caller is to be held."""
        record = self.record()
        looked_at = record is None or record.phase not in (Phase.REQUESTED, Phase.CHECKING)
        return looked_at or self._host.system.clock() >= self._asked + ACCEPTING


def is_running(process: ManagedSubprocess) -> bool:
    """True if the program has a master that could be handed over."""
    return process.master is not None and process.state in RUNNING_STATES


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
