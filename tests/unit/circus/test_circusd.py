"""circusd's own restart: another arbiter binds the addresses that the last one gave up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import zmq

from circus_unicorn import circusd as module
from circus_unicorn.circusd import Circusd


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A socket that listens, as one of the last arbiter's that zmq has not closed yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def zmq_socket() -> Iterator[Any]:
    """What an arbiter binds."""
    context = zmq.Context()
    bound = context.socket(zmq.PUB)
    yield bound
    bound.close()
    context.term()


def arbiter(initialize: Any = None, of_controller: Any = None) -> Any:
    """One that is about to be stopped, for another one."""
    controller = SimpleNamespace(initialize=of_controller)
    return SimpleNamespace(
        initialize=initialize, ctrl=controller, _stopping=False, _restarting=True
    )


@pytest.mark.parametrize("which", ["arbiter", "controller"])
def test_it_waits_until_the_address_is_free(
    taken: socket.socket, zmq_socket: Any, which: str
) -> None:
    """Circus would end circusd, and with it every program."""
    address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"

    def bind() -> None:
        zmq_socket.bind(address)

    circusd = Circusd(lambda: None, lambda: None)
    circusd.enter(arbiter(bind))
    with pytest.raises(zmq.ZMQError):
        circusd.arbiter.initialize()  # the first one: another circusd may have the address
    circusd.ends()
    circusd.enter(arbiter(bind, bind))
    threading.Timer(0.1, taken.close).start()
    (circusd.arbiter if which == "arbiter" else circusd.arbiter.ctrl).initialize()
    assert zmq_socket.get(zmq.LAST_ENDPOINT) == address.encode()


def test_an_address_of_another_program_is_not_waited_for_long(
    taken: socket.socket, zmq_socket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then circusd ends, as ever, and with the same error."""
    monkeypatch.setattr(module, "CLOSING", 0.05)
    bind = module.when_free(lambda: zmq_socket.bind(f"tcp://127.0.0.1:{taken.getsockname()[1]}"))
    with pytest.raises(zmq.ZMQError) as raised:
        bind()
    assert raised.value.errno == zmq.EADDRINUSE
