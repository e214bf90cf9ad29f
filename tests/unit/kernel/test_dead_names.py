"""The name of a unix socket is unlinked where nobody listens, and nowhere else."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from unicorn_handover.kernel.system import System


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is."""
    return tmp_path / "s"


def test_dead(path: Path) -> None:
    """Bound by one that is closed; a second time there is nothing to do."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        bound.listen()
    for _ in range(2):
        System().remove_dead_name(str(path))
        assert not path.exists()


def test_busy(path: Path) -> None:
    """A listener lives whose backlog is full: that is no refusal."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        bound.listen(0)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(5)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(str(path))
        System().remove_dead_name(str(path))
        assert path.exists()
        for client in clients:
            client.close()


def test_what_is_no_socket(path: Path) -> None:
    """A file of another kind refuses connections, too."""
    path.write_text("x")
    System().remove_dead_name(str(path))
    assert path.exists()
