"""What supervisord does in the child that it has forked, where that gets more than its pipes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from typing import Any

from supervisor.process import Subprocess

from unicorn_handover.host.copies import FIRST_SOCKET, Copies
from unicorn_handover.kernel.gate import Gate
from unicorn_handover.kernel.reopen import become_own_reader


def prepare_master(
    process: Subprocess, gate: Gate | None, copies: Copies | None, own_reader: bool
) -> None:
    """Wait until the new master is remembered, and give it the sockets, if there are any.

    Before its environment is made of this process's: that names the sockets to it.
    """
    if gate:
        gate.wait()
    if copies:
        prepare_child_fds(process, copies.numbers)
        os.environ.update(copies.variables(range(FIRST_SOCKET, FIRST_SOCKET + len(copies.numbers))))
    else:
        Subprocess._prepare_child_fds(process)
    if own_reader:
        become_own_reader()


def prepare_child_fds(process: Subprocess, given: Sequence[int]) -> None:
    """Do as `Subprocess._prepare_child_fds` does, but let descriptors be 3, 4 and so on."""
    options: Any = process.config.options
    pipes = process.pipes
    options.dup2(pipes["child_stdin"], 0)
    options.dup2(pipes["child_stdout"], 1)
    options.dup2(pipes["child_stdout" if process.config.redirect_stderr else "child_stderr"], 2)
    end = FIRST_SOCKET + len(given)
    # Out of each other's way first; what is above `minfds` is closed by the exec.
    spare = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, end) for descriptor in given]
    for number, descriptor in enumerate(spare, FIRST_SOCKET):
        os.dup2(descriptor, number)
    for descriptor in range(end, options.minfds):
        options.close_fd(descriptor)
