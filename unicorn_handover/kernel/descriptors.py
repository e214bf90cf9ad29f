"""The open descriptors of a process, as /proc/PID/fd and fdinfo show them: proc(5)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator


def open_files(pid: int, name_part: str) -> list[os.stat_result]:
    """The status of each open file whose path holds `name_part`. Raises OSError."""
    found = []
    for link, path in open_links(pid):
        if name_part in path:
            with contextlib.suppress(FileNotFoundError):  # closed just now
                found.append(os.stat(link))
    return found


def open_links(pid: int) -> Iterator[tuple[str, str]]:
    """Yield each link in /proc/PID/fd and what it names. Raises OSError; see `look_into`."""
    directory = f"/proc/{pid}/fd"
    for descriptor in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError):  # closed just now
            yield f"{directory}/{descriptor}", os.readlink(f"{directory}/{descriptor}")


def open_sockets(pid: int, outlive_exec: bool) -> frozenset[int]:
    """The inodes of sockets, with `outlive_exec` of those alone that are not close-on-exec.

    Raises OSError.
    """
    found: set[int] = set()
    for link, path in open_links(pid):
        number = re.fullmatch(r"socket:\[(\d+)\]", path)
        with contextlib.suppress(FileNotFoundError):  # closed just now
            flags = flags_of(pid, os.path.basename(link)) if number and outlive_exec else 0
            found.update({int(number[1])} if number and not flags & os.O_CLOEXEC else ())
    return frozenset(found)


def flags_of(pid: int, descriptor: str) -> int:
    """The flags of an open descriptor, O_CLOEXEC among them (proc(5), fdinfo). Raises OSError."""
    # As bytes: a text needs a codec, which the owner of the process may not be able to read.
    with open(f"/proc/{pid}/fdinfo/{descriptor}", "rb") as file:
        fields = dict(line.split(b":", 1) for line in file if b":" in line)
    return int(fields[b"flags"], 8)


def is_same(number: int, status: os.stat_result) -> bool:
    """True if a descriptor of this process is still the file that it was.

    Supervisor's `reload` closes all descriptors by their numbers, which others have then.
    """
    try:
        return os.path.samestat(os.fstat(number), status)
    except OSError:
        return False
