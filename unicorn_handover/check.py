"""Asks a release for a health page: the operator's `check` option, tried through the soak."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from .accepter import accepter
from .errors import printable

PAUSE = 1.0  # seconds between two requests
PATIENCE = 5.0  # seconds for one answer, all of it
FAILURES = 3  # so many in a row fail the check
ATTRIBUTION = 1.0  # seconds to see who accepts a connection
LOOK_PAUSE = 0.002  # seconds between looks: being accepted wakes nobody


class Rivals(NamedTuple):
    """Who may accept a connection to the address that is asked, by pid."""

    new: frozenset[int]
    old: frozenset[int]


class Check:
    """Asks `address` again and again; `step` never blocks.

    Each request runs in a thread of its own, because a look-up or a connect can block, and is given
    up after PATIENCE. Only the status line and the header are read. A redirect is an answer: it is
    not followed.

    `rivals` tells the workers of both releases where both serve. Then a connection that an old
    worker accepts is not used and another one is made, so that the answer is the new release's. If
    nobody does, a proxy stands between, and the answer counts as it is.
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
            rivals = self._rivals() if self._rivals else None
            self._asking = _Question(self.address, now + PATIENCE, rivals)

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
    def __init__(self, address: str, deadline: float, rivals: Rivals | None) -> None:
        self.address = address
        self.deadline = deadline
        self.done = False
        self.fault = f"did not answer within {PATIENCE:g} s"
        self._rivals = rivals
        self._connection: http.client.HTTPConnection | None = None
        try:
            threading.Thread(target=self._ask, daemon=True).start()
        except RuntimeError as error:  # no more threads
            self.fault, self.done = f"could not be asked: {error}", True

    def end(self) -> None:
        """Wake a thread that still waits: a server can drip an answer for ever."""
        connection = self._connection
        if connection and connection.sock:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> None:
        try:
            status = self._status()
            self.fault = "" if 200 <= status < 400 else f"answered {status}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.fault = f"did not answer: {printable(str(error) or type(error).__name__, 80)}"
        self.done = True

    def _status(self) -> int:
        """Return the status of one GET. Raises OSError or http.client.HTTPException."""
        connection, target = self._connect()
        self._connection = connection
        try:
            connection.request("GET", target, headers={"Connection": "close"})
            return connection.getresponse().status
        finally:
            connection.close()

    def _connect(self) -> tuple[http.client.HTTPConnection, str]:
        """A connection that no old worker has accepted, and the target to ask for.

        Those that one has are kept until then: an idle server's connections go to the same worker
        time and again, and a worker that serves one at a time is kept from the next one so.
        """
        with contextlib.ExitStack() as kept:
            while True:
                connection, target = _connection(self.address)
                connection.connect()
                if not (self._rivals and _accepted_by_old(connection.sock, self._rivals)):
                    return connection, target
                kept.callback(connection.close)
                if time.monotonic() >= self.deadline - ATTRIBUTION:
                    raise TimeoutError("only old workers accept connections")


def _accepted_by_old(connection: socket.socket, rivals: Rivals) -> bool:
    """Wait until somebody has accepted a connection; True if it was an old worker."""
    deadline = time.monotonic() + ATTRIBUTION
    while time.monotonic() < deadline:
        pid = accepter(connection, rivals.new | rivals.old)
        if pid is not None:
            return pid in rivals.old
        time.sleep(LOOK_PAUSE)
    return False


def _connection(address: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection to be made to the address, and the target to ask for."""
    if address.startswith("unix:"):
        path, _, target = address[len("unix:") :].partition(":")
        return _UnixConnection(path), target
    url = urlsplit(address)
    target = url._replace(scheme="", netloc="").geturl() or "/"
    return http.client.HTTPConnection(url.netloc, timeout=PATIENCE), target


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
