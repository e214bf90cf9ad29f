"""What a runner answers to the commands."""

from __future__ import annotations

import os
from typing import Any

from unicorn_handover.host.command_socket import Answer, Answerer
from unicorn_handover.host.request import Request
from unicorn_handover.host.stop import Stop

from .side import ForegroundSide


class Answers:
    """The answers of one runner."""

    def __init__(self, side: ForegroundSide, stop: Stop) -> None:
        self._side = side
        self._stop = stop
        self._program = side.program

    def to(self, question: Any) -> Answerer:
        """Return what answers a question. Raises ValueError, KeyError or TypeError for nonsense."""
        command = question["do"]
        if command == "status":
            return self._status
        if command in ("rollback", "promote"):
            reason = self._side.steer(self._program, command)
            return lambda: self._named(reason=reason)
        if command == "restart":
            return self._restart(bool(question["wait"]))
        raise ValueError(command)

    def _named(self, **fields: Any) -> Answer:
        return {"name": self._program.name, **fields}

    def _status(self) -> Answer:
        master = self._program.master
        driver = self._side.driver.pid if self._side.presence.is_there else 0
        pids = {"pid": master.pid if master else 0, "runner": os.getpid(), "driver": driver}
        return self._named(**pids, **self._side.status(self._program))

    def _restart(self, wait: bool) -> Answerer:
        if self._stop.has_begun:
            none = {"number": 0, "ended": {}, "running": {}}
            return lambda: self._named(reason="it is being stopped", **none)
        request = Request(self._side, self._program)
        return lambda: self._outcome(request, wait)

    def _outcome(self, request: Request, wait: bool) -> Answer:
        request.poll()
        more = not request.is_over(wait)
        return self._named(number=request.number, more=more, **request.outcome())
