"""What sock_diag(7) shows of sockets: who accepted a connection, and how many may wait."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterable

from .descriptors import open_links
from .procfs import look_into
from .spare import with_spare

# sock_diag(7), linux/sock_diag.h, linux/unix_diag.h and linux/inet_diag.h
SOCK_DIAG_BY_FAMILY = 20
NETLINK_SOCK_DIAG = 4
NLM_F_REQUEST = 1
UNIX_DIAG_PEER = 2
UNIX_DIAG_RQLEN = 4
UDIAG_SHOW_PEER = 4
UDIAG_SHOW_RQLEN = 0x10
TCP_LISTEN = 10
ANY = 0xFFFFFFFF

NETLINK_HEADER = struct.Struct("=IHHII")
UNIX_REQUEST = struct.Struct("=BBHIIIII")
UNIX_ANSWER = struct.Struct("=BBBBIII")
ATTRIBUTE_HEADER = struct.Struct("=HH")
INET_REQUEST_HEAD = struct.Struct("=BBBBI")
INET_ENDS = struct.Struct("!HH16s16s")
INET_REQUEST_TAIL = struct.Struct("=III")
INET_ANSWER = struct.Struct("=BBBB48sIIIII")


def far_end(connection: socket.socket) -> int | None:
    """The inode of a connection's other end: 0 until a process has accepted it.

    None if the kernel does not show it, or that end is not on this machine or is closed already.
    """
    if connection.family == socket.AF_UNIX:
        return _unix_peer(os.fstat(connection.fileno()).st_ino)
    return _inet_peer(connection)


def holds(pid: int, inode: int) -> bool:
    """True if the process has the socket of this inode open."""
    wanted = f"socket:[{inode}]"
    return bool(look_into(pid, lambda: any(path == wanted for _, path in open_links(pid))))


def holder(inode: int, pids: Iterable[int]) -> int | None:
    """Return the one of `pids` that has the socket of this inode open, or None."""
    return next((pid for pid in pids if holds(pid, inode)), None)


def unix_backlog(inode: int) -> int | None:
    """How many connections may wait at a listening unix socket; None if that is invisible.

    Of a listener, the second number of struct unix_diag_rqlen is that (unix_diag.c, sk_diag_show_
    rqlen).
    """
    lengths = _unix_attribute(inode, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN)
    return int.from_bytes(lengths[4:8], sys.byteorder) if lengths else None


def _unix_peer(inode: int) -> int | None:
    peer = _unix_attribute(inode, UDIAG_SHOW_PEER, UNIX_DIAG_PEER)
    return int.from_bytes(peer[:4], sys.byteorder) if peer else None


def _unix_attribute(inode: int, show: int, wanted: int) -> bytes:
    """One attribute of a unix socket, b"" if the kernel does not show it."""
    answer = _diagnosis(UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, ANY, inode, show, ANY, ANY))
    offset = UNIX_ANSWER.size
    while offset + ATTRIBUTE_HEADER.size <= len(answer):
        length, attribute = ATTRIBUTE_HEADER.unpack_from(answer, offset)
        if attribute == wanted:
            return answer[offset + ATTRIBUTE_HEADER.size : offset + length]
        offset += (length + 3) & ~3 or 4
    return b""


def _inet_peer(connection: socket.socket) -> int | None:
    family, there, here = connection.family, connection.getpeername(), connection.getsockname()
    scope = here[3] if family == socket.AF_INET6 else 0
    ends = INET_ENDS.pack(
        there[1], here[1], socket.inet_pton(family, there[0]), socket.inet_pton(family, here[0])
    )
    answer = _diagnosis(
        INET_REQUEST_HEAD.pack(family, socket.IPPROTO_TCP, 0, 0, ANY)
        + ends
        + INET_REQUEST_TAIL.pack(scope, ANY, ANY)
    )
    if len(answer) < INET_ANSWER.size:
        return None
    _, state, *_, inode = INET_ANSWER.unpack_from(answer)
    # The listener is what is found for a connection whose other end is gone.
    return None if state == TCP_LISTEN else int(inode)


def diag_socket() -> socket.socket:
    """Open one that sock_diag(7) is asked by. Raises OSError."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)


def _diagnosis(request: bytes) -> bytes:
    """What the kernel reports of one socket, b"" if nothing."""
    size = NETLINK_HEADER.size + len(request)
    header = NETLINK_HEADER.pack(size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
    try:
        with with_spare(diag_socket) as diag:
            diag.settimeout(1)
            diag.send(header + request)
            answer = diag.recv(1 << 16)
    except OSError:
        return b""
    size, kind, *_ = NETLINK_HEADER.unpack_from(answer)
    return answer[NETLINK_HEADER.size : size] if kind == SOCK_DIAG_BY_FAMILY else b""
