"""A small file that one process at a time has, for as long as it lives."""

from __future__ import annotations

import fcntl
import os

SIZE = 1024  # bytes: written by one call, so that a kill leaves no half of it


class LockedFile:
    """Holds the file at `path`, made for its owner alone, until `release` or this process ends.

    Raises BlockingIOError if another process holds it, and OSError if it cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = _locked(path)

    def read(self) -> bytes:
        """What was written last, also by an earlier holder; b"" if it was another user."""
        if os.fstat(self._descriptor).st_uid != os.geteuid():
            return b""
        return os.pread(self._descriptor, SIZE, 0).rstrip()

    def write(self, data: bytes) -> None:
        """Replace the content by at most SIZE bytes."""
        os.pwrite(self._descriptor, data.ljust(SIZE), 0)

    def release(self) -> None:
        """Take the file away."""
        os.unlink(self._path)
        os.close(self._descriptor)


def _locked(path: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever held it has taken it away and ended


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
