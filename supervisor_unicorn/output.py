"""A managed program's output, as supervisord reads it."""

from __future__ import annotations

from typing import Any

from supervisor.dispatchers import POutputDispatcher
from supervisor.process import Subprocess

from unicorn_handover.host.output import Output


class OutputDispatcher(POutputDispatcher):  # type: ignore[misc]
    """One of a managed program's pipes, wherever its log goes: to a file, /dev/stdout, nowhere."""

    output: Output

    def _log(self, data: Any) -> None:
        self.output.add(self.channel, data)
        POutputDispatcher._log(self, data)


def listen(process: Subprocess, output: Output) -> None:
    """Let what comes out of a process's pipes pass through `output` too."""
    for dispatcher in process.dispatchers.values():
        if type(dispatcher) in (POutputDispatcher, OutputDispatcher):
            dispatcher.__class__ = OutputDispatcher
            dispatcher.output = output
