"""Asks a release for a health page: the operator's `check` option, tried through the soak."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from ..errors import printable
from ..model.deadlines import FAILURES, PATIENCE, PAUSE
from .attribution import Rivals, Search


class Check:
    """Asks `address` again and again; `step` never blocks.

    Each request runs in a thread of its own, because a look-up or a connect can block, and is given
    up after PATIENCE. Only the status line and the header are read. A redirect is an answer: it is
    not followed.

    `rivals` tells the workers of both releases. While there are old ones the question is put on a
    connection that a new one has accepted, see `rivals`: an old one's answer says nothing.
    """

    def __init__(self, address: str, rivals: Callable[[], Rivals] | None = None) -> None:
        self.address = address
        self.passed = False
        self.failure = ""
        self._rivals = rivals
        self._failures = 0
        self._next = 0.0
        self._asking: _Question | None = None

    @property
    def failed(self) -> bool:
        """True once the release has failed: FAILURES bad answers in a row."""
        return self._failures >= FAILURES

    def step(self, now: float) -> None:
        """Take an answer that has come, and ask again when it is time. `now` in seconds."""
        if self._asking and (self._asking.done or now >= self._asking.deadline):
            self._take(self._asking.fault)
            self._asking.end()
            self._asking = None
            self._next = now + PAUSE
        if self._asking is None and now >= self._next and not self.failed:
            self._asking = _Question(self.address, now + PATIENCE, self._rivals)

    def close(self) -> None:
        """End a request under way."""
        if self._asking:
            self._asking.end()
        self._asking = None

    def _take(self, fault: str) -> None:
        self.passed = not fault
        self._failures = self._failures + 1 if fault else 0
        if fault:
            self.failure = f"{printable(self.address)} {fault}"


class _Question:
    """One request. `fault` is what is wrong with the answer, or with its absence until now."""

    def __init__(
        self, address: str, deadline: float, rivals: Callable[[], Rivals] | None = None
    ) -> None:
        self.address = address
        self.deadline = deadline
        self.done = False
        self.fault = f"did not answer within {PATIENCE:g} s"
        self._rivals = rivals
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
            connection = self._find() if self._rivals else _connect(self.address)
            if connection:
                status = self._status(connection)
                self.fault = "" if 200 <= status < 400 else f"answered {status}"
        except Exception as error:  # whatever it was, there is no good answer
            self.fault = f"did not answer: {printable(str(error) or type(error).__name__, 80)}"
        self.done = True

    def _find(self) -> http.client.HTTPConnection | None:
        """A connection that the new release has accepted; None if none did in time."""
        assert self._rivals
        unanswered = self.fault
        self.fault = f"was not accepted by a new worker within {PATIENCE:g} s"
        search = Search(lambda: _connect(self.address), self._rivals, self.deadline)
        connection = search.run(self._ended)
        if connection:
            self.fault = unanswered
        return connection

    def _status(self, connection: http.client.HTTPConnection) -> int:
        """Return the status of one GET. Raises OSError or http.client.HTTPException."""
        self._connection = connection
        try:
            if self._ended.is_set():
                raise TimeoutError
            target = _target(self.address)
            connection.request("GET", target, headers={"Connection": "close"})
            return connection.getresponse().status
        finally:
            connection.close()


def _connect(address: str) -> http.client.HTTPConnection:
    """A connection to the address. Raises OSError."""
    if address.startswith("unix:"):
        connection: http.client.HTTPConnection = _UnixConnection(address.split(":", 2)[1])
    else:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)
    connection.connect()
    return connection


def _target(address: str) -> str:
    """What is asked for at the address."""
    if address.startswith("unix:"):
        return address.split(":", 2)[2]
    return urlsplit(address)._replace(scheme="", netloc="").geturl() or "/"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
