"""The pipes of a program whose supervisord was killed, opened once more by the next one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from supervisor.dispatchers import PInputDispatcher, POutputDispatcher
from supervisor.events import ProcessCommunicationStderrEvent, ProcessCommunicationStdoutEvent
from supervisor.process import Subprocess

from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.reopen import pipe_of, reopen


def reopen_pipes(process: Subprocess, owner: Process, failed: Callable[[str], None]) -> None:
    """Give a process its pipes and dispatchers, as `ProcessConfig.make_dispatchers` does.

    What the program has led elsewhere since is no pipe of supervisord's. `failed` takes a line
    about one that cannot be had.
    """
    config: Any = process.config
    process.dispatchers = {}
    process.pipes = dict.fromkeys(
        ("stdin", "stdout", "stderr", "child_stdin", "child_stdout", "child_stderr")
    )
    names = [pipe_of(owner.pid, number) for number in range(3)]

    def open_again(number: int, channel: str, flags: int) -> int | None:
        if not names[number]:
            return None
        try:
            process.pipes[channel] = reopen(owner, number, flags)
        except OSError as error:
            failed(f"the {channel} of pid {owner.pid} cannot be had again: {error}")
        descriptor: int | None = process.pipes[channel]
        return descriptor

    out = open_again(1, "stdout", os.O_RDONLY)
    if out is not None:
        process.dispatchers[out] = POutputDispatcher(process, ProcessCommunicationStdoutEvent, out)
    err = None if config.redirect_stderr else open_again(2, "stderr", os.O_RDONLY)
    if err is not None:
        process.dispatchers[err] = POutputDispatcher(process, ProcessCommunicationStderrEvent, err)
    # With `own_reader` it is the program's own standard output that it has there.
    fed = None if names[0] == names[1] else open_again(0, "stdin", os.O_WRONLY)
    if fed is not None:
        process.dispatchers[fed] = PInputDispatcher(process, "stdin", fed)
