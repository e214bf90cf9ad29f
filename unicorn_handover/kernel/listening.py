"""Which sockets listen: sock_diag(7), asked for all of them at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from .sockets import (
    ANY,
    INET_ANSWER,
    INET_ENDS,
    INET_REQUEST_HEAD,
    INET_REQUEST_TAIL,
    NETLINK_HEADER,
    NLM_F_REQUEST,
    SOCK_DIAG_BY_FAMILY,
    TCP_LISTEN,
    UNIX_ANSWER,
    UNIX_REQUEST,
    diag_socket,
)
from .spare import with_spare

NLM_F_DUMP = 0x300
LISTENING = 1 << TCP_LISTEN  # unix sockets have the same numbers for their states

INET_REQUEST = (
    INET_ENDS.pack(0, 0, bytes(16), bytes(16)),
    INET_REQUEST_TAIL.pack(0, ANY, ANY),
)


def listening_inodes() -> frozenset[int]:
    """The inodes of all listening TCP and unix sockets of this network namespace.

    What the kernel does not show, because it lacks inet_diag or unix_diag, is not among them.
    """
    unix = UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, LISTENING, 0, 0, ANY, ANY)
    found = {UNIX_ANSWER.unpack_from(answer)[4] for answer in _dump(unix)}
    for family in (socket.AF_INET, socket.AF_INET6):
        head = INET_REQUEST_HEAD.pack(family, socket.IPPROTO_TCP, 0, 0, LISTENING)
        answers = _dump(b"".join((head, *INET_REQUEST)))
        found.update(INET_ANSWER.unpack_from(answer)[-1] for answer in answers)
    return frozenset(found)


def _dump(request: bytes) -> Iterator[bytes]:
    """Yield what the kernel reports of each socket. Never waits: it answers while it is asked."""
    flags, size = NLM_F_REQUEST | NLM_F_DUMP, NETLINK_HEADER.size + len(request)
    header = NETLINK_HEADER.pack(size, SOCK_DIAG_BY_FAMILY, flags, 1, 0)
    try:
        with with_spare(diag_socket) as diag:
            diag.setblocking(False)
            diag.send(header + request)
            while True:
                answers = list(_messages(diag.recv(1 << 16)))
                yield from (body for kind, body in answers if kind == SOCK_DIAG_BY_FAMILY)
                if not answers or answers[-1][0] != SOCK_DIAG_BY_FAMILY:
                    return  # NLMSG_DONE or NLMSG_ERROR
    except OSError:
        return


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the body of each message of a datagram: netlink(7)."""
    while len(data) >= NETLINK_HEADER.size:
        size, kind, *_ = NETLINK_HEADER.unpack_from(data)
        if size < NETLINK_HEADER.size:
            return
        yield kind, data[NETLINK_HEADER.size : size]
        data = data[(size + 3) & ~3 :]
