"""The name of a unix socket, given back after a server that ends has unlinked it."""

from __future__ import annotations

import contextlib
import os

KEPT = ".kept"  # the end of the second name


class SocketName:
    """One unix socket's path, and a second link to the same socket beside it.

    A link that is made anew leads to the socket that was bound: those who listen on it go on.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._kept = path + KEPT

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
