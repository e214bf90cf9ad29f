"""Waiting on facts: no test sleeps for a fixed time and hopes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PAUSE = 0.02  # seconds between two looks, at first
LONGEST_PAUSE = 0.1  # later: a look at a host costs both of us some milliseconds of processor time
LIMIT = 60.0  # seconds for what takes one or two, unless the machine is busy: it proves nothing


def wait_until(fact: Callable[[], T], what: str, seconds: float = LIMIT) -> T:
    """Return the first true value of `fact`, or fail saying that `what` did not come about."""
    began = time.monotonic()
    while True:
        value = fact()
        if value:
            return value
        waited = time.monotonic() - began
        if waited >= seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {value!r}")
        time.sleep(min(max(PAUSE, waited / 10), LONGEST_PAUSE))


def stays(fact: Callable[[], object], what: str, seconds: float = 1.0) -> None:
    """Fail unless `fact` is true at every look for some time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = fact()
        assert value, f"no longer so: {what}; seen: {value!r}"
        time.sleep(PAUSE)


class Watch:
    """Calls `look` again and again in a thread for as long as the `with` block lasts."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self._stop = threading.Event()
        self._errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._errors and exception[0] is None:
            raise self._errors[0]

    def _run(self) -> None:
        try:
            while not self._stop.wait(PAUSE):
                self._look()
        except Exception as error:
            self._errors.append(error)


class Later(Generic[T]):
    """Something that is done in a thread of its own, at once; a `with` block waits for its end."""

    def __init__(self, act: Callable[[], T]) -> None:
        self._act = act
        self._results: list[T] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._act())
        except Exception as error:
            self._error = error

    @property
    def is_done(self) -> bool:
        """True once it has ended."""
        return not self._thread.is_alive()

    def result(self, seconds: float = LIMIT) -> T:
        """Wait for its end, and return or raise what it did."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"not done within {seconds:g} s"
        if self._error:
            raise self._error
        return self._results[0]

    def __enter__(self) -> Later[T]:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self.result()
