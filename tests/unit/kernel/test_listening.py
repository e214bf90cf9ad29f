"""Which sockets listen, as the kernel tells it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from unicorn_handover.kernel.system import System


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "unix"])
def test_a_listener_is_told_from_other_sockets(kind: str, tmp_path: Path) -> None:
    """Of a process's sockets, those that listen; not one that is bound, nor a connection."""
    family = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6, "unix": socket.AF_UNIX}[kind]
    where = {"tcp": ("127.0.0.1", 0), "tcp6": ("::1", 0), "unix": str(tmp_path / "sock")}[kind]
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind(where)
        inode = os.fstat(listener.fileno()).st_ino
        assert inode not in System().listening_sockets(os.getpid())
        listener.listen()
        client.connect(listener.getsockname())
        found = System().listening_sockets(os.getpid())
        assert inode in found and os.fstat(client.fileno()).st_ino not in found
    assert inode not in System().listening_sockets(os.getpid())


def test_sockets_that_outlive_an_exec() -> None:
    """Those that are not close-on-exec, as python's are by default."""
    with (
        socket.create_server(("127.0.0.1", 0)) as kept,
        socket.create_server(("127.0.0.1", 0)) as closed,
    ):
        kept.set_inheritable(True)
        inodes = {os.fstat(each.fileno()).st_ino for each in (kept, closed)}
        assert inodes <= System().listening_sockets(os.getpid())
        outlive = System().listening_sockets(os.getpid(), outlive_exec=True)
        assert inodes & outlive == {os.fstat(kept.fileno()).st_ino}
