"""A pid file that is moved aside, and the name of a unix socket that is kept."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from unicorn_handover.errors import Refused
from unicorn_handover.kernel.pid_file import PidFile
from unicorn_handover.kernel.socket_name import HELD, SocketName, SocketNames


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the pid file is, or is to be."""
    return tmp_path / "web.pid"


def names(path: Path) -> dict[str, str]:
    """The files beside the pid file, and itself, with their contents."""
    return {each.name: each.read_text() for each in path.parent.iterdir()}


def test_the_old_masters_file_makes_way_and_comes_back(path: Path) -> None:
    """As unicorn's own re-exec does it; and a second time does no harm."""
    path.write_text("42\n")
    file = PidFile(str(path))
    assert file.move_aside(42) and file.move_aside(42)
    assert names(path) == {"web.pid.oldbin": "42\n"}
    file.put_back(42)
    file.put_back(42)
    assert names(path) == {"web.pid": "42\n"}


def test_the_new_masters_file_stays(path: Path) -> None:
    """What was moved aside is unlinked in the end."""
    path.write_text("42\n")
    file = PidFile(str(path))
    file.move_aside(42)
    path.write_text("43\n")
    file.forget(42)
    assert names(path) == {"web.pid": "43\n"}


@pytest.mark.parametrize("content", ["41\n", "", "42 x", "x", "4242424242424242424242424242424242"])
def test_what_names_another_is_left_alone(path: Path, content: str) -> None:
    """A stranger's file, or one that is no pid file at all."""
    path.write_text(content)
    file = PidFile(str(path))
    assert not file.move_aside(42)
    file.put_back(42)
    file.forget(42)
    assert names(path) == {"web.pid": content}


def test_a_fifo_blocks_nobody(path: Path) -> None:
    """Nor does a directory or a missing file."""
    os.mkfifo(path)
    assert not PidFile(str(path)).move_aside(42)
    assert not PidFile(str(path.parent)).move_aside(42)
    assert not PidFile(str(path.parent / "missing" / "pid")).move_aside(42)


def test_a_file_that_cannot_make_way_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started: the new master would refuse to start."""

    def denied(*paths: str) -> None:
        raise PermissionError(13, "Permission denied")

    path.write_text("42\n")
    monkeypatch.setattr("unicorn_handover.kernel.pid_file.os.rename", denied)
    with pytest.raises(Refused, match=r"web\.pid .*cannot be renamed \(Permission denied\)"):
        PidFile(str(path)).move_aside(42)


def test_a_socket_that_was_unlinked_gets_its_name_back(tmp_path: Path) -> None:
    """Connections reach the one that listens, and no second link is left."""
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(path))
        listening.listen()
        name = SocketName(str(path))
        name.keep()
        assert not name.restore()
        path.unlink()
        assert name.restore()
        client.connect(str(path))
        name.release()
    assert list(tmp_path.iterdir()) == [path]


def test_a_host_and_a_driver_keep_the_same_name(tmp_path: Path) -> None:
    """The host until a first worker is ready; a handover may have begun by then."""
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        of_host = SocketNames([str(path)], HELD)
        of_driver = SocketNames([str(path)])
        of_host.release()
        path.unlink()
        of_driver.restore()
        of_driver.release()
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_link_is_taken_over(tmp_path: Path) -> None:
    """A driver that was killed has left it, maybe as the only one."""
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        SocketName(str(path)).keep()
        inode = path.stat().st_ino
        path.unlink()
        SocketName(str(path)).keep()
    assert path.stat().st_ino == inode and path.stat().st_nlink == 2
