"""Memory that a process shares with those it forks: which of them has used it, and for what."""

from __future__ import annotations

import os
import struct

from .procfs import look_into, read_maps

PAGE = os.sysconf("SC_PAGE_SIZE")
ANONYMOUS = "/dev/zero (deleted)"  # how proc(5) names a mapping with MAP_SHARED | MAP_ANONYMOUS
PRESENT = 1 << 63  # of an entry of /proc/PID/pagemap: see Documentation/admin-guide/mm/pagemap.rst


def shared_pages(pid: int) -> list[int]:
    """The addresses of a process's shared anonymous mappings of one page; none if gone or denied.

    A forked child has them at the same addresses.
    """
    text = look_into(pid, lambda: read_maps(pid)) or b""
    found = []
    for line in text.decode("utf-8", "replace").splitlines():
        place, rights, *_ = line.split(maxsplit=2)
        first, end = (int(address, 16) for address in place.split("-"))
        if rights == "rw-s" and end - first == PAGE and line.endswith(ANONYMOUS):
            found.append(first)
    return found


def has_touched(pid: int, address: int) -> bool | None:
    """True if a process has read or written a shared page since its fork; None if denied or gone.

    fork(2) leaves a child's page tables of a shared mapping empty (mm/memory.c, vma_needs_copy), so
    an entry is there once the child itself has used the page. The kernel may take it away again
    when memory is short.
    """
    entry = look_into(pid, lambda: _read_at(f"/proc/{pid}/pagemap", address // PAGE * 8, 8))
    if entry is None or len(entry) < 8:
        return None
    return bool(struct.unpack("=Q", entry)[0] & PRESENT)


def words_at(pid: int, address: int) -> tuple[int, ...]:
    """The unsigned longs of a page; none if gone or denied: ptrace(2), PTRACE_MODE_ATTACH."""
    page = look_into(pid, lambda: _read_at(f"/proc/{pid}/mem", address, PAGE)) or b""
    return tuple(word for (word,) in struct.iter_unpack("@L", page)) if len(page) == PAGE else ()


def _read_at(path: str, offset: int, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)
