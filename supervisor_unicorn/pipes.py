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

EVENTS = {"stdout": ProcessCommunicationStdoutEvent, "stderr": ProcessCommunicationStderrEvent}
PIPES = ("stdin", "stdout", "stderr", "child_stdin", "child_stdout", "child_stderr")


def reopen_pipes(process: Subprocess, owner: Process, warn: Callable[[str], None]) -> None:
    """Give a process its pipes and dispatchers, as `ProcessConfig.make_dispatchers` does.

    What the program has led elsewhere since is no pipe of supervisord's. `warn` takes a line about
    those that cannot be had.
    """
    names = [pipe_of(owner.pid, number) for number in range(3)]
    wanted = {"stdin": (0, os.O_WRONLY), "stdout": (1, os.O_RDONLY), "stderr": (2, os.O_RDONLY)}
    if names[0] == names[1]:  # it is its own reader
        del wanted["stdin"]
    if process.config.redirect_stderr:
        del wanted["stderr"]
    errors: dict[str, OSError] = {}
    process.pipes, process.dispatchers = dict.fromkeys(PIPES), {}
    for channel, (number, flags) in wanted.items():
        try:
            descriptor = reopen(owner, number, flags) if names[number] else None
        except OSError as error:
            errors[channel] = error
        else:
            process.pipes[channel] = descriptor
            if descriptor is not None:
                process.dispatchers[descriptor] = _dispatcher(process, channel, descriptor)
    if errors:
        what, why = ", ".join(errors), next(iter(errors.values()))
        warn(f"{what} of pid {owner.pid} cannot be had again: {why}")


def _dispatcher(process: Subprocess, channel: str, descriptor: int) -> Any:
    if channel == "stdin":
        return PInputDispatcher(process, channel, descriptor)
    return POutputDispatcher(process, EVENTS[channel], descriptor)
