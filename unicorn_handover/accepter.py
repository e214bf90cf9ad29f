"""Tells which process accepted a connection, where both ends are on this machine."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable

import psutil

# sock_diag(7), linux/sock_diag.h and linux/unix_diag.h
SOCK_DIAG_BY_FAMILY = 20
NETLINK_SOCK_DIAG = 4
NLM_F_REQUEST = 1
UNIX_DIAG_PEER = 2
UDIAG_SHOW_PEER = 4
ANY = 0xFFFFFFFF

NETLINK_HEADER = struct.Struct("=IHHII")
UNIX_REQUEST = struct.Struct("=BBHIIIII")
UNIX_ANSWER_SIZE = 16
ATTRIBUTE_HEADER = struct.Struct("=HH")


def accepter(connection: socket.socket, pids: Iterable[int]) -> int | None:
    """Return the one of `pids` that has accepted this connection, or None if none has yet."""
    if connection.family == socket.AF_UNIX:
        inode = _unix_peer(os.fstat(connection.fileno()).st_ino)
        return next((pid for pid in pids if inode and _holds(pid, inode)), None)
    ports = (connection.getpeername()[1], connection.getsockname()[1])
    return next((pid for pid in pids if ports in _port_pairs(pid)), None)


def _port_pairs(pid: int) -> set[tuple[int, int]]:
    """The (local, remote) ports of a process's connections."""
    try:
        process = psutil.Process(pid)
        list_connections = getattr(process, "net_connections", None) or process.connections
        return {(c.laddr.port, c.raddr.port) for c in list_connections("tcp") if c.raddr}
    except psutil.Error:
        return set()


def _holds(pid: int, inode: int) -> bool:
    folder, wanted = f"/proc/{pid}/fd", f"socket:[{inode}]"
    try:
        return any(os.readlink(f"{folder}/{fd}") == wanted for fd in os.listdir(folder))
    except OSError:
        return False


def _unix_peer(inode: int) -> int:
    """The inode of a unix socket's other end, 0 until it is accepted or if the kernel won't say."""
    request = UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, ANY, inode, UDIAG_SHOW_PEER, ANY, ANY)
    size = NETLINK_HEADER.size + len(request)
    header = NETLINK_HEADER.pack(size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
            diag.settimeout(1)
            diag.send(header + request)
            answer = diag.recv(1 << 16)
    except OSError:
        return 0
    return _peer_attribute(answer)


def _peer_attribute(answer: bytes) -> int:
    size, kind, *_ = NETLINK_HEADER.unpack_from(answer)
    offset = NETLINK_HEADER.size + UNIX_ANSWER_SIZE
    while kind == SOCK_DIAG_BY_FAMILY and offset + ATTRIBUTE_HEADER.size <= size:
        length, attribute = ATTRIBUTE_HEADER.unpack_from(answer, offset)
        if attribute == UNIX_DIAG_PEER:
            return int.from_bytes(answer[offset + 4 : offset + 8], "little")
        offset += (length + 3) & ~3 or 4
    return 0
