"""More for supervisord's poll loop: a master's exit, the driver, and a program's output."""

from __future__ import annotations

from typing import Any

from supervisor.dispatchers import PDispatcher, POutputDispatcher
from supervisor.process import Subprocess

from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.logs import Output


class ExitDispatcher(PDispatcher):  # type: ignore[misc]
    """Wakes the poll loop when a master exits; the loop reaps it right after.

    Without it the loop may sleep for up to a second: SIGCHLD does not wake it, and the log pipes do
    not hang up while a new master holds them (supervisord.py, `runforever`).
    """

    def __init__(self, process: Subprocess, pidfd: int) -> None:
        PDispatcher.__init__(self, process, "exit", pidfd)

    def readable(self) -> bool:
        """True until the exit was seen."""
        return not self.closed

    def writable(self) -> bool:
        """Never: a pidfd takes no data."""
        return False

    def handle_read_event(self) -> None:
        """Look no more: a pidfd stays readable, and would turn the loop into a busy one."""
        self.closed = True


class ChannelDispatcher(PDispatcher):  # type: ignore[misc]
    """The host's end of the channel to the driver, in the poll loop."""

    def __init__(self, process: Subprocess, channel: HostEnd) -> None:
        PDispatcher.__init__(self, process, "channel", channel.fileno())
        self._channel = channel
        self._has_news = False

    def readable(self) -> bool:
        """True while the driver may say something."""
        return not self.closed

    def writable(self) -> bool:
        """True while there is something to say."""
        return not self.closed and self._channel.has_more

    def handle_read_event(self) -> None:
        """Take note that the driver said something; `hear` comes when all pipes were read.

        What it says may call for a program's last output. To read a pipe here would be a trap: when
        the loop comes to that pipe and finds it empty, Supervisor takes it for closed.
        """
        self._has_news = True

    def hear(self) -> None:
        """Take what the driver said, if it did."""
        if self._has_news and not self._channel.read():
            self.close()
        self._has_news = False

    def handle_write_event(self) -> None:
        """Say what the socket did not take before."""
        self._channel.flush()


class OutputDispatcher(POutputDispatcher):  # type: ignore[misc]
    """One of a managed program's pipes, wherever its log goes: to a file, /dev/stdout, nowhere."""

    output: Output

    def _log(self, data: Any) -> None:
        self.output.add(self.channel, data)
        POutputDispatcher._log(self, data)
