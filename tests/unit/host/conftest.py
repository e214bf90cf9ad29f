"""A host side without a host, in the middle of a handover."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.side import host_end

from ..fake_host import FakeHost
from .holding import Site
from .remembering import remembering


@pytest.fixture
def host() -> FakeHost:
    """One with both masters running, and a driver that says nothing by itself."""
    host = FakeHost()
    for program in (host.web, host.api):
        host.start(program)
    host.presence.came()
    return host


@pytest.fixture
def driver(host: FakeHost) -> Iterator[socket.socket]:
    """The far end of a channel on which the driver is there."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.settimeout(10)

    def went(end: HostEnd) -> None:
        host.driver_went()

    def hear(end: HostEnd, said: Any) -> None:
        host.take(said["record"])

    end = host_end(host, near, hear, went)
    host.driver_came(end)
    with far:
        yield far
    end.close()


@pytest.fixture
def site() -> Site:
    """A program that is not running, on a host that may hold its sockets."""
    return Site()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where it is remembered."""
    return tmp_path / "state"


@pytest.fixture
def first(state: Path) -> FakeHost:
    """A host that remembers."""
    return remembering(FakeHost(), state)
