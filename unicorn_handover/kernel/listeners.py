"""Copies of another process's listening stream sockets, by pidfd_getfd(2)."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass

from .descriptors import flags_of, open_links
from .getfd import LIBC, copy_descriptors
from .process import Process
from .procfs import look_into
from .sockets import unix_backlog

TCPI_SACKED = 28  # bytes in struct tcp_info, include/uapi/linux/tcp.h; of a listener: its backlog


@dataclass(frozen=True)
class Listener:
    """A copy of one listening socket; its owner has it as the descriptor `number`.

    socket: the copy, close-on-exec. It shares everything else with the owner's: a flag such as
    O_NONBLOCK that is changed here is changed there.
    inode: what is the same in all copies of one socket.
    close_on_exec: whether it is that in its owner.
    """

    number: int
    socket: socket.socket
    inode: int
    close_on_exec: bool

    @property
    def path(self) -> str:
        """The path of a unix socket, "" if it has none (TCP, or a name in the abstract space)."""
        address = self.socket.getsockname()
        is_path = self.socket.family == socket.AF_UNIX and isinstance(address, str)
        return address if is_path else ""

    @property
    def name(self) -> str:
        """The address as servers spell it: 127.0.0.1:80, [::1]:80, unix:/run/web.sock.

        A name in the abstract space begins with @, as ss(8) shows it.
        """
        address = self.socket.getsockname()
        if self.socket.family == socket.AF_UNIX:
            return "unix:" + os.fsdecode(address).replace("\0", "@", 1)
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def reuse_port(self) -> bool:
        """True if each of several sockets on this address gets its own share of connections."""
        return self._has(socket.SOL_SOCKET, socket.SO_REUSEPORT)

    @property
    def keep_alive(self) -> bool:
        """SO_KEEPALIVE."""
        return self._has(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    @property
    def backlog(self) -> int | None:
        """How many connections may wait to be accepted; None if the kernel does not show it."""
        if not self._is_tcp:
            return unix_backlog(self.inode)
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCPI_SACKED + 4)
        return int(struct.unpack_from("I", info, TCPI_SACKED)[0])

    def close(self) -> None:
        """Close the copy. May be called twice."""
        self.socket.close()

    @property
    def _is_tcp(self) -> bool:
        return self.socket.family != socket.AF_UNIX

    def _has(self, level: int, option: int) -> bool:
        return bool(self.socket.getsockopt(level, option))


def listeners(owner: Process, numbers: Collection[int] = ()) -> list[Listener]:
    """Copy every listening stream socket of a held process, each once, in the order of its numbers.

    The caller closes them. An owner that is gone has none. `numbers` are those that it was seen to
    have just now: if these listen no others are looked at, which takes some 5 us for each.
    Raises PermissionError, with what to do, if this process may not copy them.
    """
    found = _listeners(owner, numbers) if numbers else []
    if numbers and {each.number for each in found} == set(numbers):
        return found
    for outdated in found:
        outdated.close()
    return _listeners(owner, _sockets_of(owner.pid))


def _listeners(owner: Process, numbers: Collection[int]) -> list[Listener]:
    """Copy those of a process's descriptors that listen. Raises PermissionError."""
    found: dict[int, Listener] = {}
    for number, copy in copy_descriptors(owner, numbers).items():
        if not _is_listening(copy):
            os.close(copy)
            continue
        listener = _listener(owner.pid, number, copy)
        double = found.setdefault(listener.inode, listener)
        if double is not listener:
            # One that is open twice is known by the number that outlives an exec.
            both = sorted((double, listener), key=lambda each: each.close_on_exec)
            found[listener.inode] = both[0]
            both[1].close()
    return list(found.values())


def _listener(pid: int, number: int, copy: int) -> Listener:
    flags = look_into(pid, lambda: flags_of(pid, str(number))) or 0  # 0 if it was closed just now
    inode = os.fstat(copy).st_ino
    return Listener(number, socket.socket(fileno=copy), inode, bool(flags & os.O_CLOEXEC))


def _is_listening(descriptor: int) -> bool:
    # Not by a socket object: that of a process which has set a default timeout makes the socket
    # non-blocking, and here it may be a connection of the owner's.
    return (
        _option(descriptor, socket.SO_ACCEPTCONN) == 1
        and _option(descriptor, socket.SO_TYPE) == socket.SOCK_STREAM
    )


def _option(descriptor: int, name: int) -> int:
    value, size = ctypes.c_int(-1), ctypes.c_uint(ctypes.sizeof(ctypes.c_int))
    places = ctypes.byref(value), ctypes.byref(size)
    LIBC.getsockopt(descriptor, socket.SOL_SOCKET, name, *places)
    return value.value


def _sockets_of(pid: int) -> list[int]:
    """The numbers of a process's descriptors that are sockets, the lowest first."""
    links = look_into(pid, lambda: list(open_links(pid)), denied=True) or []
    return sorted(int(os.path.basename(link)) for link, to in links if to.startswith("socket:"))
