"""Two more things for supervisord's poll loop to wait on: a master's exit, and the driver."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

from supervisor.dispatchers import PDispatcher
from supervisor.process import Subprocess


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
    """The host's end of the socket to the driver. Neither end ever waits for the other.

    What is to be said is the whole state, so an older message that was not sent yet is replaced.
    """

    def __init__(
        self,
        process: Subprocess,
        channel: socket.socket,
        hear: Callable[[dict[str, Any]], None],
    ) -> None:
        PDispatcher.__init__(self, process, "channel", channel.fileno())
        self._channel = channel
        self._hear = hear
        self._unsent: bytes | None = None

    def readable(self) -> bool:
        """True while the driver may say something."""
        return not self.closed

    def writable(self) -> bool:
        """True while there is something to say."""
        return not self.closed and self._unsent is not None

    def say(self, message: dict[str, Any]) -> None:
        """Send a message as soon as the socket takes it, in place of one not sent yet."""
        self._unsent = json.dumps(message).encode()

    def handle_read_event(self) -> None:
        """Take what the driver said, a bounded number of messages at a time."""
        for _ in range(100):
            try:
                packet = self._channel.recv(1 << 20)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self.close()
                return
            self._take(packet)

    def handle_write_event(self) -> None:
        """Send what is to be said."""
        if self._unsent is None:
            return
        try:
            self._channel.send(self._unsent)
        except BlockingIOError:
            return
        except OSError as error:  # the driver is gone; supervisord reaps it in a moment
            self._log(f"cannot speak to the driver: {error}")
            self.close()
        self._unsent = None

    def _take(self, packet: bytes) -> None:
        try:
            self._hear(json.loads(packet))
        except Exception as error:  # whatever the driver says, supervisord must stay up
            self._log(f"cannot use what the driver said: {type(error).__name__}: {error}")

    def _log(self, text: str) -> None:
        self.process.config.options.logger.error(f"{self.process.config.name}: {text}")

    def shut(self) -> None:
        """Close the socket."""
        self.close()
        with contextlib.suppress(OSError):
            self._channel.close()
