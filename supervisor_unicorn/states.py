"""What Supervisor does next with a process, by its state: see `Subprocess.transition`."""

from __future__ import annotations

from typing import Any

from supervisor.datatypes import RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.process import Subprocess
from supervisor.states import ProcessStates


def starts_again(process: Subprocess) -> bool:
    """True if a process has ended and Supervisor is about to start it, now or later."""
    config: Any = process.config
    if process.state == ProcessStates.EXITED:
        return config.autorestart is RestartUnconditionally or (
            config.autorestart is RestartWhenExitUnexpected
            and process.exitstatus not in config.exitcodes
        )
    return bool(process.state == ProcessStates.BACKOFF)
