"""Whose answer a question gets while both releases accept connections, on real sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from unicorn_handover.driver import attribution
from unicorn_handover.driver.attribution import KEPT, Search, WorkerPids
from unicorn_handover.driver.check import Check
from unicorn_handover.driver.request import Request
from unicorn_handover.model.options import Options

from ...waiting import LIMIT, wait_until

ME, NOBODY = frozenset([os.getpid()]), frozenset([0])
NEVER = threading.Event()


class Listener:
    """A listener whose connections this process accepts, or nobody does."""

    def __init__(self, kind: str, folder: Path) -> None:
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(folder / "s"))
            self.socket.listen()
            self.address = f"unix:{folder}/s:/"
        else:
            family = socket.AF_INET if kind == "tcp" else socket.AF_INET6
            host = "127.0.0.1" if kind == "tcp" else "::1"
            self.socket = socket.create_server((host, 0), family=family)
            shown = host if kind == "tcp" else f"[{host}]"
            self.address = f"http://{shown}:{self.socket.getsockname()[1]}/"
        self.accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self.accepted.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        if self._thread.ident:
            self.socket.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        for end in (self.socket, *self.accepted):
            end.close()

    def open_ends(self) -> int:
        """How many of the accepted connections the other side has not closed."""
        return sum(not attribution._is_closed(end) for end in list(self.accepted))

    def search(self, look: object, seconds: float = LIMIT) -> Search:
        deadline = time.monotonic() + seconds
        return Search(Request(Options(check=self.address)).connect, look, deadline)  # type: ignore[arg-type]


@pytest.fixture(params=["tcp", "tcp6", "unix"])
def listener(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Listener]:
    monkeypatch.setattr(attribution, "IMPATIENCE", LIMIT)  # the thread that accepts may be late
    made = Listener(request.param, tmp_path)
    yield made
    made.close()


def test_what_nobody_accepts_is_no_answer(listener: Listener) -> None:
    """On a busy server a connection waits to be accepted; that is not a proxy's doing."""
    assert listener.search(lambda: WorkerPids(NOBODY, ME), 0.3).run(NEVER) is None


def test_a_connection_that_a_new_worker_accepted_late(listener: Listener) -> None:
    """It is waited for, and then it is the one."""
    threading.Timer(0.2, listener.begin).start()
    found = listener.search(lambda: WorkerPids(ME, NOBODY)).run(NEVER)
    assert found and len(listener.accepted) == 1 and listener.open_ends() == 1
    found.close()


def test_what_old_workers_accept_is_kept_and_not_used(listener: Listener) -> None:
    """Others are made until a new worker has one; then those that were kept are closed."""
    listener.begin()

    def look() -> WorkerPids:
        return WorkerPids(NOBODY, ME) if len(listener.accepted) < 4 else WorkerPids(ME, NOBODY)

    found = listener.search(look).run(NEVER)
    assert found and len(listener.accepted) >= 4
    wait_until(lambda: listener.open_ends() == 1, "all others are closed")
    found.close()


def test_not_too_many_are_kept(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many old workers take, no more than some are open at a time; at the end none is."""
    monkeypatch.setattr(attribution, "SHORT_PAUSE", 0.001)
    listener.begin()
    most = 0

    def look() -> WorkerPids:
        nonlocal most
        most = max(most, listener.open_ends())
        return WorkerPids(NOBODY, ME)

    ended = threading.Event()
    thread = threading.Thread(target=listener.search(look, 2 * LIMIT).run, args=(ended,))
    thread.start()
    wait_until(lambda: len(listener.accepted) > KEPT + 10, "more were made than are kept")
    ended.set()
    thread.join()
    assert KEPT // 2 <= most <= KEPT
    wait_until(lambda: listener.open_ends() == 0, "all are closed")


def test_without_old_workers_nobody_is_looked_for(listener: Listener) -> None:
    """When the last old worker has gone, whoever answers from then on is new."""
    left = [WorkerPids(NOBODY, ME)] * 3
    found = listener.search(lambda: left.pop() if left else WorkerPids(NOBODY, frozenset())).run(
        NEVER
    )
    assert found
    found.close()


def test_a_proxy_s_answer_is_taken(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who accepted is neither release's worker: what is behind it cannot be told."""
    monkeypatch.setattr(attribution, "ATTRIBUTION", 0.1)
    listener.begin()
    found = listener.search(lambda: WorkerPids(NOBODY, NOBODY)).run(NEVER)
    assert found and len(listener.accepted) == 1
    found.close()


def test_a_connection_that_was_closed_unasked(listener: Listener) -> None:
    """A worker that ends with a connection of ours costs one, not the question."""

    def look() -> WorkerPids:
        with contextlib.suppress(OSError):  # again
            for end in listener.accepted[:1]:
                end.shutdown(socket.SHUT_RDWR)
        return WorkerPids(ME, NOBODY) if len(listener.accepted) > 1 else WorkerPids(NOBODY, NOBODY)

    listener.begin()
    found = listener.search(look).run(NEVER)
    assert found and len(listener.accepted) == 2
    found.close()


def test_the_check_says_that_nobody_accepted(listener: Listener) -> None:
    """It is a bad answer with its own words; nothing is left open."""
    check = Check(Request(Options(check=listener.address)), lambda: WorkerPids(NOBODY, ME))
    now = time.monotonic() + 10 * LIMIT  # so that the thread does not end by itself
    check.step(now)
    question = check._asking
    assert question
    wait_until(lambda: "accepted" in question.fault, "it is asked")
    check.step(now + 5)
    assert not check.passed and check.failure.endswith("not accepted by a new worker within 5 s")
    wait_until(lambda: question.done, "its thread has ended")


def test_no_error_is_left_in_the_thread() -> None:
    """Whatever goes wrong in a question is a bad answer, and told."""

    def look() -> WorkerPids:
        raise KeyError("x")

    check = Check(Request(Options(check="http://127.0.0.1:1/")), look)
    check.step(time.monotonic())
    question = check._asking
    assert question
    wait_until(lambda: question.done, "it is answered")
    check.step(time.monotonic())
    assert "did not answer: 'x'" in check.failure
