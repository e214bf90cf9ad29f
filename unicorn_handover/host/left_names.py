"""The names of unix sockets that a server leaves behind at its end."""

from __future__ import annotations

from ..kernel.system import System
from .copies import Copies


class LeftNames:
    """Those that the last master served on, of a server that does not bind a name which is there.

    nginx unlinks none of a socket that it was given, and so the next one could not start.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._files: dict[str, tuple[int, int] | None] = {}

    def know(self, copies: Copies) -> None:
        """Remember the names of these sockets, and no others."""
        paths = copies.paths if copies.server.leaves_names else ()
        self._files = {path: self._system.file_id(path) for path in paths}

    def remove(self) -> None:
        """Unlink those that are the same files, and that nobody listens on any more."""
        for path, file in self._files.items():
            if file and self._system.file_id(path) == file:
                self._system.remove_dead_name(path)
