"""The check asks a real server: what counts as well, what does not, and that it never blocks."""

from __future__ import annotations

import http.server
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from unicorn_handover.driver.check import FAILURES, PATIENCE, PAUSE, Check
from unicorn_handover.driver.request import Request
from unicorn_handover.model.options import Options

from ...waiting import wait_until


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /STATUS with that status; /hang never answers."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append(list(self.headers.items()))
        if self.path == "/hang":
            self.server.held.wait(20)
            return
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


def to(address: str, **options: str) -> Request:
    """What is asked for at an address."""
    return Request(Options(check=address, **options))


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A server's address, to which a path is added."""
    server: socketserver.BaseServer
    if request.param == "tcp":
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        where = f"http://127.0.0.1:{server.server_address[1]}"
    else:
        server = UnixServer(str(tmp_path / "s"), Handler)
        where = f"unix:{tmp_path}/s:"
    server.asked, server.headers, server.held = [], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    request.node.asked, request.node.headers = server.asked, server.headers
    yield where
    server.held.set()
    server.shutdown()
    thread.join()
    server.server_close()


class Clock:
    """Jumps over pauses, so that a test need not wait for them."""

    def __init__(self) -> None:
        self.jumped = 0.0

    def now(self) -> float:
        return time.monotonic() + self.jumped


def answer(check: Check, clock: Clock) -> None:
    """Let the check ask once, and take the answer."""
    clock.jumped += PAUSE
    check.step(clock.now())
    question = check._asking
    wait_until(lambda: question.done, "it is answered")
    check.step(clock.now())


@pytest.mark.parametrize("status", [200, 204, 301, 302, 399])
def test_passes(address: str, status: int) -> None:
    """2xx and 3xx are well at the first answer."""
    check = Check(to(f"{address}/{status}"))
    assert not check.passed and not check.failed
    answer(check, Clock())
    assert check.passed and not check.failed and check.failure == ""


def test_a_redirect_is_not_followed(address: str, request: pytest.FixtureRequest) -> None:
    """It is an answer; where it leads is not asked."""
    answer(Check(to(f"{address}/302")), Clock())
    assert request.node.asked == ["/302"]


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_fails_after_some_bad_answers(address: str, status: int) -> None:
    """One bad answer does not fail a release; some in a row do, and it is not asked again."""
    check, clock = Check(to(f"{address}/{status}")), Clock()
    for _ in range(FAILURES):
        assert not check.failed
        answer(check, clock)
    assert check.failed and not check.passed
    assert check.failure.endswith(f"/{status} answered {status}")
    clock.jumped += 100
    check.step(clock.now())
    assert check._asking is None


def test_a_good_answer_wipes_bad_ones_out(address: str) -> None:
    """Only bad answers in a row count, and the last answer says whether it passes."""
    check, clock = Check(to(f"{address}/500")), Clock()
    for _ in range(FAILURES - 1):
        answer(check, clock)
    check.request = to(f"{address}/200")
    answer(check, clock)
    assert check.passed
    check.request = to(f"{address}/500")
    answer(check, clock)
    assert not check.passed and not check.failed


def test_no_answer_is_given_up_without_blocking(address: str) -> None:
    """A server that hangs costs `step` nothing, and is a bad answer after a while."""
    check, clock = Check(to(f"{address}/hang")), Clock()
    began = time.monotonic()
    for _ in range(FAILURES):
        check.step(clock.now())
        clock.jumped += PATIENCE
        check.step(clock.now())
        clock.jumped += PAUSE
    assert time.monotonic() - began < 1
    assert check.failed and f"did not answer within {PATIENCE:g} s" in check.failure
    check.close()


@pytest.mark.parametrize("where", ["http://127.0.0.1:1/", "unix:/nosuch/sock:/up"])
def test_nobody_there(where: str) -> None:
    """A refused connection is a bad answer with its reason."""
    check, clock = Check(to(where)), Clock()
    answer(check, clock)
    assert not check.passed and f"{where} did not answer: " in check.failure


@pytest.mark.parametrize("reply", [b"", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\xff" * 70000])
def test_what_is_not_http(reply: bytes) -> None:
    """Garbage, too much of it, or a closed connection is a bad answer, on one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        check = Check(to(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        answer(check, Clock())
        thread.join()
    assert not check.passed and "did not answer: " in check.failure
    assert "\n" not in check.failure and len(check.failure) < 300


@pytest.mark.parametrize(
    ("statuses", "status", "passes"),
    [
        ("200", 200, True),
        ("200", 204, False),
        ("200", 301, False),
        ("200,301-302", 302, True),
        ("200,301-302", 303, False),
        ("401", 401, True),
    ],
)
def test_which_statuses_are_good(address: str, statuses: str, status: int, passes: bool) -> None:
    """Those of the option and no others."""
    check = Check(to(f"{address}/{status}", check_status=statuses))
    answer(check, Clock())
    assert check.passed is passes
    if not passes:
        to_where = " to /200" if status < 400 and status >= 300 else ""
        assert check.failure.endswith(f"/{status} answered {status}{to_where}")


def test_a_redirect_that_counts_is_reported(address: str) -> None:
    """A page that sends everybody elsewhere says little of a release."""
    check = Check(to(f"{address}/302"))
    answer(check, Clock())
    assert check.note == "the check was answered 302 to /200, which was not followed"
    check.request = to(f"{address}/204")
    clock = Clock()
    clock.jumped = 100
    answer(check, clock)
    assert check.passed and check.note == ""


def test_what_is_sent(address: str, request: pytest.FixtureRequest) -> None:
    """The host and the headers of the options; once each, whatever http.client adds."""
    options = {"check_host": "example.org", "check_headers": "X-Forwarded-Proto: https, X-A:b,c"}
    answer(Check(to(f"{address}/200", **options)), Clock())
    answer(Check(to(f"{address}/200")), Clock())
    first, second = request.node.headers
    assert (
        dict(first)
        == {
            "Host": "example.org",
            "Accept-Encoding": "identity",
            "X-Forwarded-Proto": "https",
            "X-A": "b,c",
            "Connection": "close",
        }
        and len(first) == 5
    )
    assert {"localhost", "127.0.0.1"} & {dict(second)["Host"].partition(":")[0]}
