"""A process that circusd did not start itself, or not this circusd, where `Popen` stands."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import psutil

from unicorn_handover.host.master import Master
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.reap import reap
from unicorn_handover.kernel.reopen import pipe_of, reopen

UNKNOWN = 255  # the exit code of a master whose end nobody can tell any more


class AdoptedWorker(psutil.Process):
    """Stands where psutil.Popen stands for a process that circusd did not start itself.

    The process is circusd's child by now, for its master died, and circusd is its subreaper; or it
    is a survivor, or the successor of one: then the `master` that holds it sees its end.
    """

    def __init__(self, pid: int, stdout: Any, stderr: Any, master: Master | None = None) -> None:
        super().__init__(pid)
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self.master = master

    def poll(self) -> int | None:
        """Reap the process if it has exited, as `subprocess.Popen.poll` does."""
        if self.returncode is None:
            status = self._status()
            self.returncode = None if status is None else os.waitstatus_to_exitcode(status)
        return self.returncode

    def _status(self) -> int | None:
        """The wait status, None while it lives."""
        master = self.master
        if master and not master.is_child:
            if master.process:  # it lives, or its end was not noticed yet
                return None
            return UNKNOWN << 8 if master.status is None else master.status
        try:
            return reap(self.pid)
        except ChildProcessError:  # circusd's own search for dead children was faster
            return 0


def reopened(
    owner: Process, wanted: tuple[bool, bool], failed: Callable[[str], None]
) -> tuple[Any, Any]:
    """The reading ends of a survivor's standard output and error, None for what is no pipe.

    `wanted` says which of the two have a stream. `failed` takes a line about one that cannot be
    had. What the survivor has led into one pipe comes out of the first.
    """
    names = [pipe_of(owner.pid, number) for number in (1, 2)]
    is_one = wanted[0] and names[0] == names[1]
    out = _reopened(owner, 1, failed) if wanted[0] and names[0] else None
    err = _reopened(owner, 2, failed) if wanted[1] and names[1] and not is_one else None
    return out, err


def _reopened(owner: Process, number: int, failed: Callable[[str], None]) -> Any:
    try:
        return os.fdopen(reopen(owner, number, os.O_RDONLY), "rb", buffering=0)
    except OSError as error:
        failed(f"what pid {owner.pid} writes cannot be read any more: {error}")
        return None
