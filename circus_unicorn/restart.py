"""One caller's restart of a managed watcher, as the futures that Circus answers with."""

from __future__ import annotations

from typing import Any

from tornado.concurrent import Future

from unicorn_handover.host.program import Program
from unicorn_handover.host.request import Request
from unicorn_handover.host.side import HostSide


class Restart:
    """`ended` resolves with what `circusctl restart --waiting` tells; `accepted` earlier.

    Neither ever fails: Circus would leave the caller without an answer. A restart that failed has
    the reason as `error`.
    """

    def __init__(self, side: HostSide, program: Program, refusal: str) -> None:
        self.name = program.name
        self.ended = Future()
        self.accepted = Future()
        self._request = None if refusal else Request(side, program)
        if refusal:
            self._end(_failed(refusal))

    def look(self) -> bool:
        """See whether it has been accepted or has ended; False when there is no more to see."""
        if self.ended.done() or self._request is None:
            return False
        self._request.poll()
        if self._request.has_ended:
            self._end(_outcome(self._request))
            return False
        if self._request.is_accepted:
            self.accept()
        return True

    def accept(self) -> None:
        """Let a caller who does not wait go."""
        if not self.accepted.done():
            self.accepted.set_result({})

    def dismiss(self) -> None:
        """Let a caller go whom the next arbiter cannot answer; the handover goes on."""
        if not self.ended.done():
            command = f"`circus_unicorn status {self.name}`"
            self._end(_failed(f"circusd starts anew; {command} tells what becomes of it"))

    def _end(self, outcome: dict[str, Any]) -> None:
        self.ended.set_result(outcome)
        if not self.accepted.done():
            self.accepted.set_result(outcome)


def _outcome(request: Request) -> dict[str, Any]:
    record = request.record
    if request.reason or record is None or record.new is None:
        return _failed(request.reason, record.output if record else ())
    return {"stopped": [record.old.pid], "started": [record.new.pid], "kept": []}


def _failed(why: str, output: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"error": why, "output": list(output)}
