"""The files that processes write, and what is in them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from .descriptors import flags_of, open_links

PIECE = 1 << 16  # bytes that are read at once
MOST = 1 << 23  # bytes of one file


class KeptFile:
    """A file of another process, held open: it can be read after that process has ended."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def status(self) -> os.stat_result:
        """The present result of stat(2)."""
        return os.fstat(self._descriptor)

    def close(self) -> None:
        """Let it go."""
        os.close(self._descriptor)


def keep_file(pid: int, name_part: str, identity: tuple[int, int]) -> KeptFile | None:
    """Hold the open file with this device and inode, None if it is not there. Raises OSError.

    O_PATH: nothing is asked of the file's own permissions, which gunicorn's heartbeats change.
    """
    for link, path in open_links(pid):
        if name_part in path:
            with contextlib.suppress(FileNotFoundError):  # closed just now
                kept = KeptFile(os.open(link, os.O_PATH | os.O_CLOEXEC))
                status = kept.status()
                if (status.st_dev, status.st_ino) == identity:
                    return kept
                kept.close()
    return None


def written_files(pid: int) -> dict[str, int]:
    """The regular files open for writing and their sizes, standard error first. Raises OSError."""
    found = []
    for link, path in open_links(pid):
        descriptor = os.path.basename(link)
        with contextlib.suppress(FileNotFoundError):  # closed just now
            status = os.stat(link)
            if stat.S_ISREG(status.st_mode) and status.st_nlink and _is_written(pid, descriptor):
                found.append((descriptor != "2", int(descriptor), path, status.st_size))
    return {path: size for *_, path, size in sorted(found)}


def _is_written(pid: int, descriptor: str) -> bool:
    """True for a descriptor that was opened for writing."""
    return flags_of(pid, descriptor) & os.O_ACCMODE != os.O_RDONLY


def chunks_of(path: str, start: int) -> Iterator[bytes]:
    """What a regular file holds from `start` on, or from its beginning if it is shorter by now.

    At most its last MOST bytes, in pieces; what cannot be read ends it.
    """
    with contextlib.suppress(OSError), open(path, "rb", opener=_without_blocking) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start if start <= size else 0, size - MOST))
        while chunk := file.read(PIECE):
            yield chunk


def logical_directory() -> str:
    """This process's directory by the name that a shell came to it, such as a link to a release."""
    here, named = os.getcwd(), os.environ.get("PWD", "")
    return named if os.path.isabs(named) and os.path.realpath(named) == here else here


def _without_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def changed(path: str) -> float | None:
    """When a file, or a link on the way to it, was last changed: seconds since the epoch, or None.

    A deploy exchanges `current`, a link, in the place of the file that it leads to.
    """
    try:
        return max([os.stat(path).st_ctime, *_link_times(path)])
    except OSError:
        return None


def _link_times(path: str) -> Iterator[float]:
    parts = os.path.abspath(path).split("/")
    for n in range(2, len(parts) + 1):
        link = "/".join(parts[:n])
        if os.path.islink(link):
            yield os.lstat(link).st_ctime
            target = os.path.join(os.path.dirname(link), os.readlink(link))
            yield from _link_times(target)
