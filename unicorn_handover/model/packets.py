"""Long messages as packets that a socket takes, and put together again.

The kernel takes no packet that is larger than the socket's buffer: 416 KB where net.core.wmem_max
was left as it is (socket(7), SO_SNDBUF). The orders of a hundred programs have their environments.
"""

from __future__ import annotations

MOST = 1 << 16  # bytes of a message in one packet
MORE, LAST = b"+", b"."  # begin a part of a message; a whole one is JSON


def packets_of(message: bytes) -> list[bytes]:
    """Cut a message, if it is long."""
    parts = [message[n : n + MOST] for n in range(0, len(message), MOST)]
    if len(parts) < 2:
        return [message]
    return [*(MORE + part for part in parts[:-1]), LAST + parts[-1]]


class Assembly:
    """Puts the packets of one socket together."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, packet: bytes) -> bytes:
        """Return the message that a packet completes, b"" if more of it follows."""
        if packet[:1] not in (MORE, LAST):
            return packet
        self._parts.append(packet[1:])
        if packet[:1] == MORE:
            return b""
        message, self._parts = b"".join(self._parts), []
        return message
