"""One caller's restart of a managed watcher: asked for once, then looked at until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.concurrent import Future

from unicorn_handover.errors import Refused
from unicorn_handover.host.side import looked_at
from unicorn_handover.model.record import Record

if TYPE_CHECKING:
    from .host import Host


class Restart:
    """`ended` resolves with what `circusctl restart --waiting` tells; `accepted` earlier.

    Neither ever fails: Circus would leave the caller without an answer. A restart that failed has
    the reason as `error`.
    """

    def __init__(self, host: Host, program: str, refusal: str) -> None:
        self.program = program
        self.ended = Future()
        self.accepted = Future()
        self._host = host
        self._number = 0
        if refusal:
            self._end(_failed(refusal))
        else:
            self._number = host.request(program)

    def look(self) -> bool:
        """See whether it has been accepted or has ended; False when there is no more to see."""
        if self.ended.done():
            return False
        try:
            record = self._host.handover(self.program, self._number)
        except Refused as why:
            self._end(_failed(str(why)))
            return False
        if record and record.phase.final:
            self._end(_told(record))
            return False
        if looked_at(record):
            self.accept()
        return True

    def accept(self) -> None:
        """Let a caller who does not wait go."""
        if not self.accepted.done():
            self.accepted.set_result({})

    def dismiss(self) -> None:
        """Let a caller go whom the next arbiter cannot answer; the handover goes on."""
        if not self.ended.done():
            command = f"`circus_unicorn status {self.program}`"
            self._end(_failed(f"circusd starts anew; {command} tells what becomes of it"))

    def _end(self, outcome: dict[str, Any]) -> None:
        self.ended.set_result(outcome)
        if not self.accepted.done():
            self.accepted.set_result(outcome)


def _told(record: Record) -> dict[str, Any]:
    if not record.succeeded or record.new is None:
        return _failed(record.reason, record.output)
    return {"stopped": [record.old.pid], "started": [record.new.pid], "kept": []}


def _failed(why: str, output: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"error": why, "output": list(output)}
