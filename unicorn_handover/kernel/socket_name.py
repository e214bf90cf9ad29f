"""The names of unix sockets, given back when a server that ends has unlinked them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
from collections.abc import Collection

from .getfd import LIBC

KEPT = ".kept"  # the end of the second name that a driver makes
HELD = ".held"  # and a host, which may keep the same one at that moment
IN_MOVED_FROM = 0x40  # inotify(7)
IN_DELETE = 0x200


def is_socket_file(path: str) -> bool:
    """True if a path is that of a unix socket, and no link to one. Raises FileNotFoundError."""
    return stat.S_ISSOCK(os.lstat(path).st_mode)


def remove_dead(path: str) -> None:
    """Unlink the path of a unix socket, if a connection to it is refused (connect(2))."""
    # Other errors: somebody listens and is busy, it is not ours to connect to, or too long.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:  # as of a file that is no socket
            if is_socket_file(path):
                os.unlink(path)


class SocketName:
    """One unix socket's path, and a second link to the same socket beside it.

    A link that is made anew leads to the socket that was bound: those who listen on it go on.
    """

    def __init__(self, path: str, end: str = KEPT) -> None:
        self.path = path
        self._kept = path + end

    def keep(self) -> None:
        """Make the second link. Raises OSError if that cannot be."""
        self.restore()  # it may be gone, and kept by a driver before this one
        self.release()
        os.link(self.path, self._kept)

    def restore(self) -> bool:
        """Link the path again if it is gone; True if it was."""
        try:
            os.link(self._kept, self.path)
        except OSError:  # it is there, or there is nothing to link
            return False
        return True

    def release(self) -> None:
        """Unlink the second link."""
        with contextlib.suppress(OSError):
            os.unlink(self._kept)


class SocketNames:
    """The names of several unix sockets. `fileno` can be read once one may be gone (inotify(7)).

    Names that cannot be kept are left out: `lost` has a line for each. `end` is that of the second
    ones, no other keeper's.
    """

    def __init__(self, paths: Collection[str], end: str = KEPT) -> None:
        self.lost: list[str] = []
        self._names: list[SocketName] = []
        self._watch: int = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for directory in sorted({os.path.dirname(path) for path in paths}):
            mask = ctypes.c_uint32(IN_DELETE | IN_MOVED_FROM)
            LIBC.inotify_add_watch(self._watch, os.fsencode(directory), mask)
        for path in paths:
            self._keep(SocketName(path, end))

    def fileno(self) -> int:
        """The inotify descriptor, -1 after `release`, and where the kernel gives none."""
        return self._watch

    def restore(self) -> None:
        """Link the names again that are gone."""
        if self._watch >= 0:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._watch, 1 << 16):
                    pass
        for name in self._names:
            name.restore()

    def release(self, unlink: bool = True) -> None:
        """Keep the names no longer. Without `unlink` the second links stay, for another driver."""
        for name in self._names if unlink else []:
            name.release()
        self._names = []
        watch, self._watch = self._watch, -1
        if watch >= 0:
            os.close(watch)

    def _keep(self, name: SocketName) -> None:
        try:
            name.keep()
        except OSError as error:
            self.lost.append(f"cannot keep the name {name.path}: {error.strerror}")
        else:
            self._names.append(name)
