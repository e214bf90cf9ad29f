"""What supervisord does in the child that it has forked, where that gets sockets."""

from __future__ import annotations

import fcntl
import os
from typing import Any

from supervisor.process import Subprocess

from unicorn_handover.host.copies import Copies

FIRST_SOCKET = 3  # the descriptor that the first of the sockets has in the new master


def prepare_child_fds(process: Subprocess, copies: Copies) -> None:
    """Do as Supervisor does, and put the sockets under the numbers that its environment names.

    This is `Subprocess._prepare_child_fds`: it runs in the child, before its environment is made of
    this process's.
    """
    options: Any = process.config.options
    pipes = process.pipes
    options.dup2(pipes["child_stdin"], 0)
    options.dup2(pipes["child_stdout"], 1)
    options.dup2(pipes["child_stdout" if process.config.redirect_stderr else "child_stderr"], 2)
    end = FIRST_SOCKET + len(copies.sockets)
    # Out of each other's way first; what is above `minfds` is closed by the exec.
    spare = [fcntl.fcntl(each.socket, fcntl.F_DUPFD_CLOEXEC, end) for each in copies.sockets]
    for number, descriptor in enumerate(spare, FIRST_SOCKET):
        os.dup2(descriptor, number)
    for descriptor in range(end, options.minfds):
        options.close_fd(descriptor)
    os.environ.update(copies.variables(range(FIRST_SOCKET, end)))
