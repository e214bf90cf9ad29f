"""What keeps a forked child from its exec until its parent has remembered it."""

from __future__ import annotations

import contextlib
import os


class Gate:
    """Made before the fork. If the parent dies first, the child ends without having executed.

    So no process runs of which the parent's successor does not know. Raises OSError.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        self._maker = os.getpid()

    def wait(self) -> None:
        """In the child: wait until the parent has opened the gate. The parent does not wait."""
        if os.getpid() == self._maker:
            return
        os.close(self._writer)
        if not os.read(self._reader, 1):
            os._exit(127)
        os.close(self._reader)

    def open(self) -> None:
        """In the parent: let the child go on. May be called twice."""
        reader, self._reader = self._reader, -1
        if reader < 0:
            return
        with contextlib.suppress(BrokenPipeError):  # it has ended
            os.write(self._writer, b"!")
        os.close(reader)
        os.close(self._writer)
