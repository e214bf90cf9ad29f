"""Steady requests on a server, each of which is counted by what became of it."""

from __future__ import annotations

import collections
import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Union

from ..waiting import LIMIT

Address = Union[str, tuple[str, int]]  # the path of a unix socket, or host and port

PAUSE = 0.02  # seconds between a client's requests


@dataclass(frozen=True)
class Answer:
    """What became of one request; `outcome` is ok, refused, reset, cut or other.

    began: on the monotonic clock. seconds: until its end, whatever that was.
    """

    outcome: str
    detail: str = ""
    body: str = ""
    began: float = 0.0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if it was answered in full, with 200."""
        return self.outcome == "ok"

    @property
    def ended(self) -> float:
        """When it was answered or had failed, on the monotonic clock."""
        return self.began + self.seconds

    @property
    def release(self) -> str:
        """The name of the release that answered."""
        return self.body.partition(" ")[0]

    def number(self, name: str) -> int:
        """A number from the body, by its name ("worker" or "master")."""
        words = dict(word.split("=") for word in self.body.split()[1:])
        return int(words.get(name, 0))


def ask(address: Address, path: str = "/", patience: float = 30.0) -> Answer:
    """Make one request on a connection of its own."""
    began = time.monotonic()
    outcome, detail, body = _outcome(address, path, patience)
    return Answer(outcome, detail, body, began, time.monotonic() - began)


def _outcome(address: Address, path: str, patience: float) -> tuple[str, str, str]:
    try:
        return _judge(_exchange(address, path, patience))
    except (ConnectionRefusedError, FileNotFoundError) as error:
        return "refused", repr(error), ""
    except (ConnectionResetError, BrokenPipeError) as error:
        return "reset", repr(error), ""
    except OSError as error:
        return "other", repr(error), ""


def _exchange(address: Address, path: str, patience: float) -> bytes:
    with socket.socket(_family(address)) as connection:
        connection.settimeout(patience)
        connection.connect(address)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        pieces: list[bytes] = []
        while True:
            piece = connection.recv(65536)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)


def _family(address: Address) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _judge(data: bytes) -> tuple[str, str, str]:
    head, separator, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    if not separator or len(body) != int(fields.get("content-length", -1)):
        return "cut", repr(data[-80:]), ""
    if " 200 " not in lines[0] + " ":
        return "other", lines[0], body.decode()
    return "ok", "", body.decode()


@dataclass
class Load:
    """Clients that ask one after the other for as long as the `with` block lasts."""

    address: Address
    path: str = "/"
    clients: int = 3
    longest: float = 120.0  # seconds, whatever happens
    pause: float = PAUSE
    answers: list[Answer] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._stop = threading.Event()
        self._until = time.monotonic() + self.longest
        self._threads = [threading.Thread(target=self._run) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        # The last request begins after the end of the block, so it shows what serves by then.
        is_last = False
        while not is_last and time.monotonic() < self._until:
            is_last = self._stop.wait(self.pause)
            self.answers.append(ask(self.address, self.path))

    @property
    def counts(self) -> dict[str, int]:
        """How many requests ended how."""
        return dict(collections.Counter(answer.outcome for answer in list(self.answers)))

    @property
    def failures(self) -> list[Answer]:
        """The requests that were not answered in full with 200."""
        return [answer for answer in list(self.answers) if not answer.ok]

    def releases(self) -> set[str]:
        """The names of the releases that answered."""
        return {answer.release for answer in list(self.answers) if answer.ok}


class Request:
    """One request that is under way in a thread of its own."""

    def __init__(self, address: Address, path: str) -> None:
        self._answer: list[Answer] = []
        self._thread = threading.Thread(target=self._run, args=(address, path), daemon=True)
        self._thread.start()

    def _run(self, address: Address, path: str) -> None:
        with contextlib.suppress(Exception):
            self._answer.append(ask(address, path, LIMIT))

    def answer(self, seconds: float = LIMIT) -> Answer:
        """Wait for its end."""
        self._thread.join(seconds)
        assert self._answer, f"no answer within {seconds:g} s"
        return self._answer[0]

    @property
    def ended(self) -> bool:
        """True once it was answered or has failed."""
        return not self._thread.is_alive()


def within(answers: Sequence[Answer], began: float, ended: float) -> list[Answer]:
    """The answers to requests that were under way between two moments."""
    return [answer for answer in answers if answer.ended >= began and answer.began <= ended]


def longest_gap(answers: Sequence[Answer]) -> float:
    """The longest time, in seconds, in which no good answer came."""
    ends = sorted(answer.ended for answer in answers if answer.ok)
    return max((later - earlier for earlier, later in zip(ends, ends[1:])), default=0.0)
