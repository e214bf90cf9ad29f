"""Runs a command for its output, as another process's user. Nothing blocks on it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

from .procfs import read_bytes

MOST = 1 << 16  # bytes of its output that are read


class Ids(NamedTuple):
    """A process's effective user and group, and its supplementary groups."""

    user: int
    group: int
    groups: tuple[int, ...]


def ids_of(pid: int) -> Ids:
    """Read them. Raises ProcessLookupError if the process is gone."""
    lines = read_bytes(f"/proc/{pid}/status").decode().splitlines()
    found = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    try:
        groups = tuple(map(int, found["Groups"]))
        return Ids(int(found["Uid"][1]), int(found["Gid"][1]), groups)
    except KeyError:
        raise ProcessLookupError(f"pid {pid} is gone") from None


class Run:
    """A running command, in a session of its own; its output goes to a file without a name.

    Raises OSError, and subprocess.SubprocessError, if it cannot be started.
    """

    def __init__(self, words: Sequence[str], directory: str, ids: Ids) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            self._child = subprocess.Popen(
                words,
                cwd=directory or None,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
                **_switched(ids),
            )
        except BaseException:
            self._output.close()
            raise

    @property
    def ended(self) -> bool:
        """True once it has ended; from then on `status` and `output` are final."""
        return self._child.poll() is not None

    @property
    def status(self) -> int:
        """Its exit status, below 0 for a signal; 0 also where another caller has waited for it."""
        return self._child.returncode or 0

    @property
    def output(self) -> str:
        """What it has written so far, from the beginning."""
        return os.pread(self._output.fileno(), MOST, 0).decode("utf-8", "replace")

    def close(self) -> None:
        """Kill it if it still runs, and give the file back. May be called twice."""
        if self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            self._child.wait()
        self._output.close()


def _switched(ids: Ids) -> dict[str, Any]:
    """What makes a child another user's; nothing for one's own, for that may need no right."""
    if (ids.user, ids.group) == (os.geteuid(), os.getegid()):
        return {}
    return {"user": ids.user, "group": ids.group, "extra_groups": ids.groups}
