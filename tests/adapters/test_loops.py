"""What the engine asks of a host's event loop, on supervisord's and on circusd's."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from supervisor.medusa.asyncore_25 import socket_map
from supervisor.poller import PollPoller
from tornado.ioloop import IOLoop

from circus_unicorn.loop import CircusLoop
from supervisor_unicorn.loop import PollLoop
from unicorn_handover.host.loop import Loop


class Turned:
    """A loop that a test turns, and the errors that it contained."""

    def __init__(self, loop: Loop, turn: Callable[[], None], errors: list[str]) -> None:
        self.loop = loop
        self.errors = errors
        self._turn = turn

    def turn(self, times: int = 3) -> None:
        """Let it go round."""
        for _ in range(times):
            self._turn()

    def turn_until(self, fact: Callable[[], object]) -> None:
        """Let it go round until something is so."""
        deadline = time.monotonic() + 10
        while not fact():
            assert time.monotonic() < deadline
            self._turn()


@pytest.fixture
def supervisord() -> Iterator[Turned]:
    """supervisord's, as `runforever` turns it."""
    socket_map.clear()  # of what a Supervisor that another test made has left in asyncore's map
    errors: list[str] = []
    options = SimpleNamespace(get_socket_map=lambda: socket_map, logger=SimpleNamespace())
    options.poller = PollPoller(options)
    loop = PollLoop(options, time.monotonic, errors.append)

    def turn() -> None:
        watched = dict(socket_map)
        for descriptor, dispatcher in watched.items():
            if dispatcher.readable():
                options.poller.register_readable(descriptor)
            if dispatcher.writable():
                options.poller.register_writable(descriptor)
        readable, writable = options.poller.poll(0.01)
        for descriptor in readable:
            watched[descriptor].handle_read_event()
            if not watched[descriptor].readable():
                options.poller.unregister_readable(descriptor)
        for descriptor in writable:
            watched[descriptor].handle_write_event()
            if not watched[descriptor].writable():
                options.poller.unregister_writable(descriptor)
        loop.turn()

    yield Turned(loop, turn, errors)
    loop.close()
    assert socket_map == {}


@pytest.fixture
def circusd() -> Iterator[Turned]:
    """circusd's, which is Tornado's on asyncio."""
    errors: list[str] = []
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    loop = CircusLoop(errors.append)
    loop.tornado = IOLoop.current()
    yield Turned(loop, lambda: made.run_until_complete(asyncio.sleep(0.01)), errors)
    made.close()
    asyncio.set_event_loop(None)


@pytest.fixture(params=["supervisord", "circusd"])
def turned(request: pytest.FixtureRequest) -> Turned:
    """Each of them."""
    found: Turned = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets, of which the first is watched."""
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def test_what_can_be_read_is_told_at_each_turn(
    turned: Turned, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Until it is read, or not watched any more; what is not ready is left alone."""
    near, far = pair
    calls: list[int] = []
    turned.loop.watch(near.fileno(), lambda: calls.append(1))
    turned.turn()
    assert calls == []
    far.send(b"x")
    turned.turn_until(lambda: len(calls) >= 2)
    turned.loop.unwatch(near.fileno())
    calls.clear()
    turned.turn()
    assert calls == []
    turned.loop.unwatch(near.fileno())


def test_an_end_is_something_to_read(
    turned: Turned, pair: tuple[socket.socket, socket.socket]
) -> None:
    """The other side is gone: whoever watches hears that."""
    near, far = pair
    calls: list[bytes] = []
    turned.loop.watch(near.fileno(), lambda: calls.append(near.recv(1)))
    far.close()
    turned.turn_until(lambda: calls)
    assert calls[0] == b""
    turned.loop.unwatch(near.fileno())


def test_a_process_is_seen_to_end(turned: Turned) -> None:
    """Its pidfd can be read then, once, for the one who watches takes it out."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "kill -STOP $$"], os.environ)
    pidfd = os.pidfd_open(pid)
    ends: list[int] = []

    def ended() -> None:
        turned.loop.unwatch(pidfd)
        ends.append(os.waitpid(pid, 0)[1])

    turned.loop.watch(pidfd, ended)
    turned.turn()
    assert ends == []
    os.kill(pid, 9)
    turned.turn_until(lambda: ends)
    os.close(pidfd)
    turned.turn()
    assert ends == [9]


def test_one_who_waits_to_write_is_called_once(
    turned: Turned, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Not while the socket is full, and it is still watched for reading."""
    near, far = pair
    near.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            near.send(bytes(1 << 16))
    reads: list[bytes] = []
    writes: list[int] = []
    turned.loop.watch(near.fileno(), lambda: reads.append(near.recv(1)))
    turned.loop.when_writable(near.fileno(), lambda: writes.append(1))
    far.send(b"x")  # it may not go on, and read, before this is read
    turned.turn_until(lambda: reads)
    assert writes == []
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        while far.recv(1 << 20):
            pass
    turned.turn_until(lambda: writes)
    far.send(b"y")
    turned.turn_until(lambda: len(reads) > 1)
    turned.turn()
    assert writes == [1] and reads == [b"x", b"y"]
    turned.loop.unwatch(near.fileno())


def test_time_passes(turned: Turned) -> None:
    """A call comes once, not before its time, and never if it was cancelled."""
    calls: list[str] = []
    began = time.monotonic()
    turned.loop.after(0.05, lambda: calls.append("late"))
    cancel = turned.loop.after(0.02, lambda: calls.append("never"))
    turned.loop.after(0, lambda: calls.append("soon"))
    assert calls == []
    cancel()
    cancel()
    turned.turn_until(lambda: "late" in calls)
    assert time.monotonic() >= began + 0.05
    turned.turn()
    assert calls == ["soon", "late"]


def test_a_call_that_raises_ends_nothing(
    turned: Turned, pair: tuple[socket.socket, socket.socket]
) -> None:
    """It is told, and the other calls are made."""
    near, far = pair
    calls: list[int] = []

    def broken() -> None:
        turned.loop.unwatch(near.fileno())
        raise RuntimeError("no such\nluck")

    turned.loop.watch(near.fileno(), broken)
    far.send(b"x")
    turned.loop.after(0, broken)
    turned.loop.after(0.02, lambda: calls.append(1))
    turned.turn_until(lambda: calls)
    assert turned.errors and all(r"RuntimeError: no such\nluck" in line for line in turned.errors)


def test_a_call_may_end_another_watch(
    turned: Turned, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Two are ready in one turn, and the first one's call closes the second: it is not called."""
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        for each in pair:
            turned.loop.unwatch(each.fileno())

    for each in pair:
        turned.loop.watch(each.fileno(), call)
    for each in pair:
        each.send(b"x")
    turned.turn_until(lambda: calls)
    turned.turn()
    assert len(calls) == 1
