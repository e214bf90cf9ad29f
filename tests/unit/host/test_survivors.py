"""What a host remembers of masters that may outlive it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unicorn_handover.host.survivors import Survivors
from unicorn_handover.kernel.locked_file import LockedFile
from unicorn_handover.kernel.system import System
from unicorn_handover.model.record import MasterId


@pytest.fixture
def mine() -> MasterId:
    """A process that lives."""
    stat = System().stat(os.getpid())
    assert stat
    return MasterId(os.getpid(), stat.start)


def test_the_living_are_known_to_the_next(tmp_path: Path, mine: MasterId) -> None:
    """What a host has noted, the next one reads; those that have ended are left out."""
    file = LockedFile(str(tmp_path / "lock"))
    Survivors(file, System()).note([mine, MasterId(mine.pid, mine.start + 1)])
    assert Survivors(file, System()).living() == [mine]
    Survivors(file, System()).note([])
    assert not Survivors(file, System()).living()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"boot": 1}', b'{"masters": [[1]]}'])
def test_nonsense_is_nobody(tmp_path: Path, content: bytes) -> None:
    """A file that was never written, or by something else."""
    file = LockedFile(str(tmp_path / "lock"))
    file.write(content)
    assert not Survivors(file, System()).living()


def test_another_boot(tmp_path: Path, mine: MasterId) -> None:
    """Its pids and start times mean nothing now."""

    class Booted(System):
        def text_of(self, path: str) -> str:
            return "another\n"

    file = LockedFile(str(tmp_path / "lock"))
    Survivors(file, Booted()).note([mine])
    assert not Survivors(file, System()).living()


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """Another process is kept out until the file is given back, whatever it then finds."""
    path = str(tmp_path / "lock")
    file = LockedFile(path)
    words = f"from unicorn_handover.kernel.locked_file import LockedFile; LockedFile({path!r})"
    other = [sys.executable, "-c", words]
    assert b"BlockingIOError" in subprocess.run(other, capture_output=True).stderr
    file.release()
    assert not os.path.exists(path)
    assert subprocess.run(other).returncode == 0


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """The file is no way to write to another one."""
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError):
        LockedFile(str(tmp_path / "lock"))
    assert not (tmp_path / "other").exists()
