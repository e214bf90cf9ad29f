"""The plugin's process: the driver. It may be killed at any moment; the next one goes on."""

from __future__ import annotations

import os
import socket
import struct
import uuid
from typing import Any

from circus import logger
from circus.plugins import CircusPlugin

from unicorn_handover import __version__
from unicorn_handover.driver.loop import DriverEnd

NAME = "\0circus_unicorn-"  # of a socket in the abstract namespace, which no file is left of
COMMAND = "unicorn"
CONNECTING = 10.0  # seconds circusd has to connect, once it has said it does


class UnicornPlugin(CircusPlugin):  # type: ignore[misc]
    """Drives the handovers that circusd orders.

    Its options are read in circusd itself, from the plugin's section. It needs no event: circusd's
    orders come over a socket, which loses nothing and shows either side when the other is gone.
    """

    name = "unicorn"

    def start(self) -> None:
        """Drive handovers until circusd ends or closes the socket."""
        if not self.active:
            raise ValueError("Will not start an inactive plugin")
        self.initialize()
        try:
            channel = self._channel()
        finally:
            self.substream.close()
            self.client.close()
            self.sub_socket.close()
            self.context.destroy()
        if channel:
            with channel:
                DriverEnd(channel).run()

    def handle_recv(self, data: Any) -> None:
        """Take no event."""

    def _channel(self) -> socket.socket | None:
        """Listen, let circusd connect, and return the connection."""
        address = uuid.uuid4().hex
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(NAME + address)
            listener.listen(1)
            listener.settimeout(CONNECTING)
            answer = self.call(COMMAND, do="connect", address=address, version=__version__)
            if answer.get("status") != "ok":
                logger.error(f"circusd does not take this driver: {answer.get('reason')}")
                return None
            return _accepted(listener)


def _accepted(listener: socket.socket) -> socket.socket | None:
    """The connection from circusd, this process's parent; None if there is none."""
    while True:
        try:
            channel, _ = listener.accept()
        except socket.timeout:
            return None
        if peer(channel) == os.getppid():
            channel.setblocking(True)
            return channel
        channel.close()


def peer(channel: socket.socket) -> int:
    """The pid of the process at the other end (unix(7), SO_PEERCRED)."""
    size = struct.calcsize("3i")
    credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
