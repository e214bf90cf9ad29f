"""The ends of this process's own children."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator


def reaped() -> Iterator[tuple[int, int]]:
    """Reap every child that is dead now; yield its pid and its wait status, as waitpid(2) gives it.

    Also those that are not ours by birth: orphans come to a subreaper, and to PID 1.
    """
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            yield pid, status


def reap(pid: int) -> int | None:
    """The wait status of a child that has ended, which is reaped; None while it lives.

    Raises ChildProcessError for what is no child, such as one that was reaped before.
    """
    found, status = os.waitpid(pid, os.WNOHANG)
    return status if found else None


def how_ended(status: int | None) -> str:
    """How a process ended, in words, by its wait status; None if that is unknown."""
    if status is None:
        return "with an unknown exit status"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"with exit status {code}"
    return f"by {signal.Signals(-code).name if -code in set(signal.Signals) else -code}"
