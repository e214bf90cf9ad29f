"""Steady requests, each on a connection of its own, and what became of every one."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE = 30.0  # seconds for one answer


@dataclass(frozen=True)
class Answer:
    """What became of one request; times are of time.monotonic()."""

    began: float
    ended: float
    release: str = ""
    master: int = 0
    fault: str = ""


class Load:
    """Clients that ask without an end: `quick` ones with short pauses, `slow` ones for /slow."""

    def __init__(self, port: int, quick: int = 8, slow: int = 1, pause: float = 0.03) -> None:
        self.answers: list[Answer] = []
        self._port = port
        self._pause = pause
        self._ended = threading.Event()
        kinds = ["/"] * quick + ["/slow"] * slow
        self._clients = [
            threading.Thread(target=self._ask_on, args=(path,), daemon=True) for path in kinds
        ]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for client in self._clients:
            client.join(PATIENCE)

    def _ask_on(self, path: str) -> None:
        while not self._ended.wait(self._pause):
            self.answers.append(ask(self._port, path))


def ask(port: int, path: str = "/") -> Answer:
    """Ask once."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        words = answer.read().decode().split()
        if answer.status != 200 or len(words) != 2:
            return Answer(began, time.monotonic(), fault=f"status {answer.status}")
        return Answer(began, time.monotonic(), words[0], int(words[1]))
    except (OSError, http.client.HTTPException, ValueError) as error:
        fault = f"{type(error).__name__}: {error}"
        return Answer(began, time.monotonic(), fault=fault)
    finally:
        connection.close()


def within(answers: Sequence[Answer], began: float, ended: float) -> list[Answer]:
    """The answers to requests that were under way between two moments."""
    return [answer for answer in answers if answer.ended >= began and answer.began <= ended]


def longest_gap(answers: Sequence[Answer]) -> float:
    """The longest time, in seconds, in which no good answer came."""
    ends = sorted(answer.ended for answer in answers if not answer.fault)
    return max((later - earlier for earlier, later in zip(ends, ends[1:])), default=0.0)
