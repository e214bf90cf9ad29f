"""What can be seen of the sockets that a process has, and copies of them. A part of `System`."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection

from .descriptors import open_sockets
from .listeners import Listener, listeners
from .listening import listening_inodes
from .process import Process
from .procfs import look_into
from .socket_name import KEPT, SocketNames, remove_dead


class SocketFacts:
    """What can be seen of the sockets that a process has, and copies of them.

    What is gone is None or empty, never an error.
    """

    def is_socket(self, pid: int, descriptor: int) -> bool:
        """True if this open descriptor of a process is a socket."""
        found = look_into(pid, lambda: os.stat(f"/proc/{pid}/fd/{descriptor}"))
        return found is not None and stat.S_ISSOCK(found.st_mode)

    def opened(self, pid: int, descriptor: int) -> str:
        """What an open descriptor of a process names: a path, or "pipe:[4711]"; "" if not known."""
        return look_into(pid, lambda: os.readlink(f"/proc/{pid}/fd/{descriptor}")) or ""

    def inode_of(self, pid: int, descriptor: int) -> int:
        """The inode of an open descriptor of a process; 0 if it is closed or not ours to see."""
        found = look_into(pid, lambda: os.stat(f"/proc/{pid}/fd/{descriptor}"))
        return found.st_ino if found else 0

    def sockets(self, pid: int, outlive_exec: bool = False) -> frozenset[int]:
        """The inodes of a process's open sockets; none if it is gone or not ours to read.

        With `outlive_exec` those alone that are not close-on-exec.
        """
        return look_into(pid, lambda: open_sockets(pid, outlive_exec)) or frozenset()

    def listening_sockets(self, pid: int, outlive_exec: bool = False) -> frozenset[int]:
        """The inodes of a process's listening stream sockets."""
        return self.sockets(pid, outlive_exec) & listening_inodes()

    def listeners(self, owner: Process, numbers: Collection[int] = ()) -> list[Listener]:
        """Copies of a process's listening stream sockets, for the caller to close.

        `numbers` are those that they had just now, if that is known: see `listeners.listeners`.
        Raises PermissionError, with what to do, if this process may not have them.
        """
        return listeners(owner, numbers)

    def keep_names(self, paths: Collection[str], end: str = KEPT) -> SocketNames:
        """Keep the names of unix sockets from now on, by second ones with this `end`."""
        return SocketNames(paths, end)

    def remove_dead_name(self, path: str) -> None:
        """Unlink the name of a unix socket that nobody listens on."""
        remove_dead(path)
