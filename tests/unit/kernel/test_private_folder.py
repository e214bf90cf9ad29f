"""The folder of what a host remembers: what is read there was written by this user alone."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from unicorn_handover.errors import Refused
from unicorn_handover.kernel import private_folder
from unicorn_handover.kernel.private_folder import LARGEST, PrivateFolder, default_folder, file_name

NAME, OLD = "web.json", b'{"a": "before"}'


@pytest.fixture
def folder(tmp_path: Path) -> PrivateFolder:
    """One of this process's own."""
    return PrivateFolder(str(tmp_path / "state"), "host")


@pytest.fixture
def full(folder: PrivateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its disk, on which a file is already."""
    folder.write(NAME, OLD)
    opened = os.open

    def refuse_new(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse_new)


def path_in(folder: PrivateFolder) -> Path:
    """Where its file is."""
    return Path(folder.path) / NAME


def why_not(folder: PrivateFolder) -> str:
    """Why its file is not read."""
    with pytest.raises(Refused) as refusal:
        folder.read(NAME)
    return str(refusal.value)


def test_what_is_written_is_read(folder: PrivateFolder) -> None:
    """A file is replaced whole, is its owner's alone, and can be taken away."""
    assert folder.read(NAME) is None
    for data in (b"one", b"two"):
        folder.write(NAME, data)
        assert folder.read(NAME) == data
    assert path_in(folder).stat().st_mode & 0o777 == 0o600
    assert folder.names() == [NAME]
    folder.remove(NAME)
    folder.remove(NAME)
    assert folder.names() == []


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o620])
def test_a_file_that_others_may_use(folder: PrivateFolder, mode: int) -> None:
    """It may be somebody else's work."""
    folder.write(NAME, b"{}")
    path_in(folder).chmod(mode)
    assert why_not(folder) == "others may read or write it"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_of_another_user(folder: PrivateFolder) -> None:
    """Its mode says nothing then."""
    folder.write(NAME, b"{}")
    os.chown(path_in(folder), 12345, -1)
    assert why_not(folder) == "it belongs to user 12345"


def test_what_is_no_file(folder: PrivateFolder, tmp_path: Path) -> None:
    """A link is not followed, a FIFO does not block, a folder is none."""
    (tmp_path / "other").write_bytes(b"{}")
    path_in(folder).symlink_to(tmp_path / "other")
    assert "symbolic links" in why_not(folder)
    path_in(folder).unlink()
    os.mkfifo(path_in(folder), 0o600)
    assert why_not(folder) == "it is no regular file"
    path_in(folder).unlink()
    path_in(folder).mkdir(0o700)
    assert why_not(folder) == "it is no regular file"


def test_a_huge_file(folder: PrivateFolder) -> None:
    """Nothing of it is read."""
    path_in(folder).touch(0o600)
    os.truncate(path_in(folder), 1 << 30)
    assert why_not(folder) == f"it has more than {LARGEST} bytes"


def test_what_is_in_the_way_of_a_new_file(folder: PrivateFolder, tmp_path: Path) -> None:
    """A link that is laid beforehand leads no data elsewhere."""
    Path(f"{path_in(folder)}.new").symlink_to(tmp_path / "other")
    folder.write(NAME, b"{}")
    assert folder.read(NAME) == b"{}" and not (tmp_path / "other").exists()


@pytest.mark.parametrize("data", [b'{"a": 1}', b'{"a": "what is longer than before"}'])
def test_a_full_disk(folder: PrivateFolder, full: None, data: bytes) -> None:
    """What fits in the blocks that the file has is written there, so the last news is known."""
    folder.write(NAME, data)
    assert json.loads(folder.read(NAME) or b"") == json.loads(data)
    assert folder.names() == [NAME] and path_in(folder).stat().st_mode & 0o777 == 0o600


def test_a_full_disk_has_no_room_for_more(folder: PrivateFolder, full: None) -> None:
    """The old file stays as it is, and no new one is left."""
    for name in (NAME, "other.json"):
        with pytest.raises(OSError, match="No space left"):
            folder.write(name, b"x" * (1 << 16))
    assert folder.read(NAME) == OLD and os.listdir(folder.path) == ["lock", NAME]


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_may_write_in(tmp_path: Path, mode: int) -> None:
    """Whoever could have made what is in it, it is not used."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    with pytest.raises(Refused, match="can be written by others; chmod go-w"):
        PrivateFolder(str(tmp_path / "state"), "host")


def test_a_folder_that_is_a_link_or_a_file(tmp_path: Path) -> None:
    """It could lead to another user's."""
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="is no folder"):
        PrivateFolder(str(tmp_path / "link"), "host")
    with pytest.raises(Refused, match="File exists"):
        PrivateFolder(str(tmp_path / "file"), "host")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_folder_of_another_user(tmp_path: Path) -> None:
    """He could exchange what is in it at any time."""
    (tmp_path / "state").mkdir(0o700)
    os.chown(tmp_path / "state", 12345, -1)
    with pytest.raises(Refused, match="belongs to user 12345"):
        PrivateFolder(str(tmp_path / "state"), "host")


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """Another process is kept out, until this one gives the folder up; nothing is left of it."""
    root = str(tmp_path / "state")
    folder = PrivateFolder(root, "host")
    words = f"from {PrivateFolder.__module__} import *; PrivateFolder({root!r}, 'host')"
    other = [sys.executable, "-c", words]
    assert b"another process holds" in subprocess.run(other, capture_output=True).stderr
    PrivateFolder(root, "another host").release()
    folder.release()
    folder.release()
    assert os.listdir(root) == []
    assert subprocess.run(other).returncode == 0


def test_a_folder_that_its_holder_takes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made anew: one host ends and takes its folder away just when the next one comes."""
    flock, root = fcntl.flock, tmp_path / "state"

    def ends_first(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        shutil.rmtree(root)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", ends_first)
    PrivateFolder(str(root), "host").write(NAME, b"{}")
    assert len(list(root.rglob(NAME))) == 1


def test_a_read_only_disk(folder: PrivateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written before is known: flock(2) asks for no right to write."""
    folder.write(NAME, b"{}")
    root, opened = str(Path(folder.path).parent), os.open

    def refuse_writing(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_CREAT | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse_writing)
    with pytest.raises(Refused, match="another process holds"):
        PrivateFolder(root, "host")
    os.close(folder._lock)
    assert PrivateFolder(root, "host").read(NAME) == b"{}"


def test_a_lock_that_was_closed_by_its_number(folder: PrivateFolder, tmp_path: Path) -> None:
    """Supervisor's reload does that: what has the number by then is left open."""
    number = folder._lock
    with open(tmp_path / "other", "w") as other:
        os.dup2(other.fileno(), number)
        folder.release()
        assert os.path.samestat(os.fstat(number), os.stat(tmp_path / "other"))
        os.close(number)


def test_names_of_files() -> None:
    """They can be read, differ for each text, and are never too long nor a path."""
    assert file_name("web").startswith("web-")
    assert file_name("/etc/a b.conf").startswith("etc-a%20b.conf-")
    texts = ["web", "web:1", "web-1", "../web", "..", ".", "x" * 5000, "\udcff", "/", ""]
    names = {file_name(text) for text in texts}
    assert len(names) == len(texts)
    assert all(len(name) < 200 and "/" not in name and name[0] != "." for name in names)


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """root's is in /run; another user's in the home that passwd names, whatever HOME is."""
    made: list[str] = []

    def private(path: str) -> str:
        made.append(path)
        if "nohome" in path:
            raise Refused("no")
        return path

    monkeypatch.setattr(private_folder, "_private", private)
    monkeypatch.setenv("HOME", str(tmp_path))
    for user, home in ((0, "/root"), (1000, "/home/ann"), (1001, "/nohome")):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        entry = pwd.struct_passwd(("x", "x", user, user, "", home, "/bin/sh"))
        monkeypatch.setattr(pwd, "getpwuid", lambda user, entry=entry: entry)
        default_folder()
    assert made == [
        "/run/unicorn-handover",
        "/home/ann/.local/state/unicorn-handover",
        "/nohome/.local/state/unicorn-handover",
        "/tmp/unicorn-handover-1001",
    ]


@pytest.mark.parametrize("taken", ["folder", "lock", "all"])
def test_a_folder_that_is_taken_away(folder: PrivateFolder, taken: str) -> None:
    """Nothing is done in what may be there by now; it can be made again, as private as before."""
    folder.write(NAME, b"old")
    path = Path(folder.path)
    if taken == "lock":
        (path / "lock").unlink()
    else:
        shutil.rmtree(path if taken == "folder" else path.parent)
        path.mkdir(parents=True)
        path_in(folder).write_bytes(b"another's")
    before = path_in(folder).read_bytes()
    with pytest.raises(FileNotFoundError):
        folder.write(NAME, b"new")
    folder.remove(NAME)
    assert not folder.is_held and folder.names() == []
    assert path_in(folder).read_bytes() == before
    shutil.rmtree(path.parent)
    folder.make()
    folder.write(NAME, b"new")
    assert folder.is_held and folder.names() == [NAME]
    assert (path.stat().st_mode | path.parent.stat().st_mode) & 0o777 == 0o700
    with pytest.raises(Refused, match="another process holds"):
        PrivateFolder(str(path.parent), "host")
