"""Which files a process writes, and what is in them."""

from __future__ import annotations

import os
from pathlib import Path

from unicorn_handover.kernel import files
from unicorn_handover.kernel.system import System

from ...waiting import wait_until


def read(path: Path, start: int) -> bytes:
    """What the file holds from there on."""
    return b"".join(System().chunks_of(str(path), start))


def test_files_that_are_open_for_writing(tmp_path: Path) -> None:
    """Regular files with their sizes; not those that are only read, deleted, or no files."""
    names = ("log", "read", "gone", "empty")
    log, only_read, gone, empty = (tmp_path / name for name in names)
    for path in (log, only_read, gone):
        path.write_text("12345")
    with log.open("a"), only_read.open(), gone.open("a"), empty.open("w"):
        gone.unlink()
        written = System().written_files(os.getpid())
    mine = {path: size for path, size in written.items() if path.startswith(f"{tmp_path}/")}
    assert mine == {str(log): 5, str(empty): 0}
    assert System().written_files(2**22) == {}
    assert System().size_of(str(log)) == 5 and System().size_of(str(gone)) == 0


def test_a_file_that_outlives_those_who_had_it_open(tmp_path: Path) -> None:
    """By what stat(2) tells of it, deleted or not, and whatever its permissions are."""
    path = tmp_path / "wgunicorn-x"
    with path.open("w") as file:
        path.unlink()
        status = os.fstat(file.fileno())
        os.fchmod(file.fileno(), 0)
        assert System().keep_file(os.getpid(), "/wgunicorn-", (status.st_dev, 0)) is None
        kept = System().keep_file(os.getpid(), "/wgunicorn-", (status.st_dev, status.st_ino))
        os.fchmod(file.fileno(), 1)
    assert kept and kept.status().st_mode & 0o777 == 1
    kept.close()


def test_a_file_is_read_from_a_mark_on(tmp_path: Path) -> None:
    """From its beginning if it is shorter by now: somebody has put it aside."""
    log = tmp_path / "log"
    log.write_bytes(b"old new")
    assert read(log, 4) == b"new" and read(log, 7) == b""
    assert read(log, 100) == b"old new"


def test_only_the_end_of_a_huge_file_is_read(tmp_path: Path) -> None:
    """Its last bytes, in pieces."""
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(3 * files.MOST)
        file.seek(3 * files.MOST)
        file.write(b"end")
    pieces = list(System().chunks_of(str(log), 0))
    assert sum(map(len, pieces)) == files.MOST and max(map(len, pieces)) == files.PIECE
    assert pieces[-1].endswith(b"end")


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """Neither a missing file nor a fifo, which nobody may ever write to, holds anybody up."""
    os.mkfifo(tmp_path / "fifo")
    assert read(tmp_path / "fifo", 0) == read(tmp_path / "nosuch", 0) == read(tmp_path, 0) == b""


def test_when_a_file_was_changed(tmp_path: Path) -> None:
    """Or a link on the way to it, which a deploy exchanges; in ticks, as start times are."""
    system, far = System(), system_start()
    (tmp_path / "one").mkdir()
    file, current = tmp_path / "one" / "conf", tmp_path / "current"
    file.touch()
    os.utime(file, (1, 1))  # as of long ago, as files that are unpacked are
    first = system.changed(str(file))
    assert far < first <= system.ticks(system.clock())
    wait_until(lambda: system.ticks(system.clock()) > first + 2, "a moment passes")
    current.symlink_to("one")
    assert system.changed(f"{current}/conf") > first == system.changed(str(file))
    assert system.changed(str(tmp_path / "nosuch")) == float("inf")
    assert system.changed(f"{file}/x") == float("inf")


def system_start() -> int:
    """When this process began."""
    stat = System().stat(os.getpid())
    assert stat
    return stat.start
