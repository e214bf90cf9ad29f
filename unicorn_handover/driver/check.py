"""Requests a health page of the release: the operator's `check` option, during the soak."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable

from ..errors import printable
from ..model.deadlines import FAILURES, PATIENCE, PAUSE
from .attribution import Search, WorkerPids
from .request import Answer, Request

UNANSWERED = f"did not answer within {PATIENCE:g} s"
UNACCEPTED = f"was not accepted by a new worker within {PATIENCE:g} s"


class Check:
    """Sends the same request repeatedly. `step` never blocks.

    Each request runs in a thread of its own, because a look-up or a connect can block, and is given
    up after PATIENCE. Only the status line and the header are read. A redirect is not followed;
    where it counts as a good answer, `note` says so.

    `worker_pids` returns the workers of both releases. While old workers live, the request is sent
    on a connection that a new worker has accepted (see `Search`): an old worker's answer proves
    nothing.
    """

    def __init__(
        self, request: Request, worker_pids: Callable[[], WorkerPids] | None = None
    ) -> None:
        self.request = request
        self.passed = False
        self.failure = ""
        self.note = ""
        self._worker_pids = worker_pids
        self._failures = 0
        self._next = 0.0
        self._asking: _Question | None = None

    @property
    def failed(self) -> bool:
        """True once the release has failed: FAILURES bad answers in a row."""
        return self._failures >= FAILURES

    def step(self, now: float) -> None:
        """Record an arrived answer, and send the next request when due. `now` in seconds."""
        if self._asking and (self._asking.done or now >= self._asking.deadline):
            self._take(self._asking)
            self._asking.end()
            self._asking = None
            self._next = now + PAUSE
        if self._asking is None and now >= self._next and not self.failed:
            self._asking = _Question(self.request, now + PATIENCE, self._worker_pids)

    def close(self) -> None:
        """Abort a request under way."""
        if self._asking:
            self._asking.end()
        self._asking = None

    def _take(self, asked: _Question) -> None:
        self.passed = not asked.fault
        self._failures = self._failures + 1 if asked.fault else 0
        if asked.fault:
            self.failure = f"{printable(self.request.address)} {asked.fault}"
        redirected = self.passed and asked.answer and asked.answer.location
        self.note = f"the check was {asked.answer}, which was not followed" if redirected else ""


class _Question:
    """One request. `fault` is what is wrong with the answer, or with its absence until now."""

    def __init__(
        self, request: Request, deadline: float, worker_pids: Callable[[], WorkerPids] | None = None
    ) -> None:
        self.request = request
        self.answer: Answer | None = None
        self.deadline = deadline
        self.done = False
        self.fault = UNACCEPTED if worker_pids else UNANSWERED
        self._worker_pids = worker_pids
        self._ended = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        try:
            threading.Thread(target=self._ask, daemon=True).start()
        except RuntimeError as error:  # no more threads
            self.fault, self.done = f"could not be asked: {error}", True

    def end(self) -> None:
        """Wake a thread that still waits: a server can drip an answer for ever."""
        self._ended.set()
        connection = self._connection
        sock = connection.sock if connection else None
        if sock:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> None:
        try:
            connection = self._connect()
            if connection:
                self.fault = UNANSWERED
                self.answer = answer = self._send(connection)
                self.fault = "" if self.request.accepts(answer) else str(answer)
        except Exception as error:  # whatever it was, there is no good answer
            self.fault = f"did not answer: {printable(str(error) or type(error).__name__, 80)}"
        self.done = True

    def _connect(self) -> http.client.HTTPConnection | None:
        """A connection, which the new release has accepted while an old one lives; None if late."""
        if self._worker_pids is None:
            return self.request.connect()
        return Search(self.request.connect, self._worker_pids, self.deadline).run(self._ended)

    def _send(self, connection: http.client.HTTPConnection) -> Answer:
        """Return the answer to one GET. Raises OSError or http.client.HTTPException."""
        self._connection = connection
        try:
            if self._ended.is_set():
                raise TimeoutError
            return self.request.send(connection)
        finally:
            connection.close()
