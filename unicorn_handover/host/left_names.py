"""The names of unix sockets that a server leaves behind at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from ..errors import Refused
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import SERVERS, Server
from .copies import Copies
from .guard import contained

Files = dict[str, "tuple[int, int] | None"]  # by path


class LeftNames:
    """Those that the last master served on, of a server that does not bind a name which is there.

    nginx unlinks none of a socket that it was given, nor any when it is killed, and so the next one
    could not start. `is_held` says whether the next one is to be given the socket. `failed` takes a
    line about an error of ours.
    """

    def __init__(
        self, system: System, is_held: Callable[[], bool], failed: Callable[[str], None]
    ) -> None:
        self.failed = failed
        self._system = system
        self._is_held = is_held
        self._files: Files = {}  # of the living master
        self._dead: Files = {}

    def know(self, copies: Copies) -> None:
        """Remember the names of these sockets, and no others."""
        paths = copies.paths if copies.server.leaves_names else ()
        self._files, self._dead = {path: self._system.file_id(path) for path in paths}, {}

    def find(self, master: Process, server: Server) -> None:
        """Remember the names of a serving master's sockets, if it will leave them."""
        if server.leaves_names:
            with contextlib.suppress(Refused, OSError):
                copies = Copies(self._system, master, server)
                self.know(copies)
                copies.close()

    @contained()
    def orphaned(self, left: Iterable[Process]) -> None:
        """Learn them from the workers of a master that was dead before anybody looked at it."""
        if self._dead or self._is_held():
            return
        for process in left:
            for server in SERVERS.values():
                if server.orphan_ends_by(self._system, process.pid):
                    self.find(process, server)
        self.died()

    def died(self) -> None:
        """Note that the master has died."""
        self._dead, self._files = {**self._dead, **self._files}, {}
        self.remove()

    @contained()
    def remove(self) -> None:
        """Unlink those that are the same files, and that nobody listens on any more.

        The workers of a killed master do so for a while: to be called again until they have ended.
        """
        if self._is_held():
            return
        for path, file in list(self._dead.items()):
            if file and self._system.file_id(path) == file:
                self._system.remove_dead_name(path)
            else:  # a next master may have bound it, and a file's number be given again
                del self._dead[path]
