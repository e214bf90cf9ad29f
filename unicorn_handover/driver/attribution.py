"""Finds a connection that the new release has accepted, while both releases accept."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from http.client import HTTPConnection
from typing import NamedTuple

from ..kernel.readiness import readable
from ..kernel.sockets import far_end, holder

ATTRIBUTION = 1.0  # seconds to see which worker accepted a connection that somebody has
SHORT_PAUSE, LONG_PAUSE = 0.005, 0.1  # seconds between polls: an accept causes no wake-up
IMPATIENCE = 0.5  # seconds in which nobody accepts, after which another connection is made
KEPT = 64  # connections of one search at a time


class WorkerPids(NamedTuple):
    """The processes that may accept a connection to the checked address, by pid."""

    new: frozenset[int]
    old: frozenset[int]


class Search:
    """Connects until a new worker has accepted, or no old one is left; nothing is sent yet.

    Connections accepted by old workers are held open meanwhile: an idle server gives every
    connection to the same worker, and a held one keeps a single-threaded worker from accepting the
    next.

    A connection waits until a worker accepts it, on a busy server for long. A connection that
    another process has accepted, such as a proxy, is used as it is. So is one whose other end is
    invisible.
    """

    def __init__(
        self,
        connect: Callable[[], HTTPConnection],
        worker_pids: Callable[[], WorkerPids],
        deadline: float,
    ) -> None:
        self._connect = connect
        self._worker_pids = worker_pids
        self._deadline = deadline
        self._waiting: deque[HTTPConnection] = deque()
        self._taken: deque[HTTPConnection] = deque()  # by old workers
        self._strange: dict[HTTPConnection, float] = {}  # since when somebody else has them

    def run(self, ended: threading.Event) -> HTTPConnection | None:
        """Return the connection; None at the deadline, or when `ended` is set."""
        found = None
        try:
            found = self._run(ended)
            return found
        finally:
            for connection in (*self._waiting, *self._taken):
                if connection is not found:
                    connection.close()

    def _run(self, ended: threading.Event) -> HTTPConnection | None:
        pause, connected = SHORT_PAUSE, 0.0
        while time.monotonic() < self._deadline and not ended.wait(pause):
            worker_pids = self._worker_pids()
            if not worker_pids.old:
                return self._connect()
            now = time.monotonic()
            if not self._waiting or now >= connected + IMPATIENCE:
                self._add()
                pause, connected = SHORT_PAUSE, time.monotonic()
            for connection in list(self._waiting):
                if self._is_good(connection, worker_pids):
                    return connection
            pause = min(pause * 2, LONG_PAUSE) if self._waiting else SHORT_PAUSE
        return None

    def _add(self) -> None:
        if len(self._waiting) + len(self._taken) >= KEPT:
            (self._taken or self._waiting).popleft().close()
        self._waiting.append(self._connect())

    def _is_good(self, connection: HTTPConnection, worker_pids: WorkerPids) -> bool:
        """True if only the new release will answer on it, as far as the kernel shows."""
        if _is_closed(connection.sock):
            self._waiting.remove(connection)
            connection.close()
            return False
        inode = far_end(connection.sock)
        if inode == 0:
            return False
        pid = holder(inode, worker_pids.old | worker_pids.new) if inode else None
        if pid in worker_pids.old:
            self._waiting.remove(connection)
            self._taken.append(connection)
            return False
        # Who accepts a connection has it open a moment later, and may have been forked just now.
        now = time.monotonic()
        return pid is not None or now >= self._strange.setdefault(connection, now) + ATTRIBUTION


def _is_closed(connection: socket.socket) -> bool:
    """True if the other end has closed the connection: a server sends nothing before a request."""
    return readable(connection)
