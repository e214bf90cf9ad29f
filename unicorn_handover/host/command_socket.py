"""The socket between a host without a supervisor and its commands.

A command asks one question, and gets one or more answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Refused, printable
from ..kernel.socket_name import is_socket_file
from ..model.orders import LARGEST
from .loop import Loop

PATIENCE = 30.0  # seconds that a command waits for a runner's next word

Answer = dict[str, Any]
Answerer = Callable[[], Answer]  # gives the answer of the moment; if it has "more", others follow


class CommandSocket:
    """The host's end, for its user and root alone.

    `answerer` is called with each question. Raises OSError if `path` cannot be listened at.
    """

    def __init__(self, path: str, loop: Loop, answerer: Callable[[Any], Answerer]) -> None:
        self._path = path
        self._loop = loop
        self._answerer = answerer
        self._waiting: dict[socket.socket, Answerer] = {}
        self._listener = _listener(path)
        loop.watch(self._listener.fileno(), self._accept)

    def update(self) -> None:
        """Answer those who wait once more."""
        for connection, answerer in list(self._waiting.items()):
            self._answer(connection, answerer)

    def close(self) -> None:
        """Take the socket away."""
        self._listener.close()
        os.unlink(self._path)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        self._loop.watch(connection.fileno(), lambda: self._hear(connection))

    def _hear(self, connection: socket.socket) -> None:
        try:
            self._answer(connection, self._answerer(json.loads(connection.recv(LARGEST))))
        except (OSError, ValueError, KeyError, TypeError):  # it has gone, or asks nonsense
            self._close(connection)

    def _answer(self, connection: socket.socket, answerer: Answerer) -> None:
        answer = answerer()
        self._waiting[connection] = answerer
        try:
            connection.send(json.dumps(answer).encode())
        except OSError:  # it has gone, or does not read
            self._close(connection)
        if not answer.get("more"):
            self._waiting.pop(connection, None)

    def _close(self, connection: socket.socket) -> None:
        self._waiting.pop(connection, None)
        self._loop.unwatch(connection.fileno())
        connection.close()


def _listener(path: str) -> socket.socket:
    """Listen at a path whose last listener is dead: the caller holds the lock on it."""
    with contextlib.suppress(FileNotFoundError):
        if not is_socket_file(path):
            raise FileExistsError(None, "something else is there")
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.setblocking(False)
    listener.listen()
    return listener


def ask(path: str, question: Any) -> Iterator[Answer]:
    """Yield a runner's answers to a question. Raises Refused if there is no runner, or no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        # While there is more to come a runner answers once a second.
        connection.settimeout(PATIENCE)
        try:
            connection.connect(path)
            connection.send(json.dumps(question).encode())
            while packet := connection.recv(LARGEST):
                answer = json.loads(packet)
                yield answer
                if not answer.get("more"):
                    return
        except socket.timeout:
            raise Refused(
                f"the runner at {printable(path)} has not answered for {PATIENCE:g} s; resume it "
                "with `kill -CONT`, if it was stopped"
            ) from None
        except OSError as error:
            raise Refused(
                f"no runner answers at {printable(path)} ({error.strerror or error}); name its "
                "socket by --control"
            ) from None
    raise Refused("the runner has ended")
