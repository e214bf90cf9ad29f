"""Runs a command for its output, as some user. Nothing blocks on it."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

MOST = 1 << 16  # bytes of its output that are read
ENDING = 0.1  # seconds that a killed command is given


class Ids(NamedTuple):
    """A user and a group, and the supplementary groups."""

    user: int
    group: int
    groups: tuple[int, ...]


def ids_for(user: int | str | None, group: int | str | None) -> Ids:
    """The ids that a host gives to a program with this user and group, each a name or a number.

    None for this process's own user, and for the user's own group. Raises OSError if there is none
    of that name or number.
    """
    own = Ids(os.geteuid(), os.getegid(), tuple(os.getgroups()))
    try:
        entry = None if user is None else _user(user)
        main = None if group is None else _group(group)
    except KeyError as unknown:
        raise ProcessLookupError(str(unknown)) from None
    if entry is None or entry.pw_uid == own.user:
        return own if main is None else own._replace(group=main)
    main = entry.pw_gid if main is None else main
    return Ids(entry.pw_uid, main, tuple(os.getgrouplist(entry.pw_name, main)))


def _user(named: int | str) -> pwd.struct_passwd:
    """An entry of the user database. Raises KeyError."""
    as_number = str(named).isdigit()
    return pwd.getpwuid(int(named)) if as_number else pwd.getpwnam(str(named))


def _group(named: int | str) -> int:
    """The number of a group. Raises KeyError."""
    return int(named) if str(named).isdigit() else grp.getgrnam(str(named)).gr_gid


class Run:
    """A running command, in a session of its own; its output goes to a file without a name.

    Its environment is this process's, with `environ` added. Raises OSError, and
    subprocess.SubprocessError, if it cannot be started.
    """

    def __init__(
        self, words: Sequence[str], directory: str, ids: Ids, environ: Mapping[str, str]
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            self._child = subprocess.Popen(
                words,
                cwd=directory or None,
                env={**os.environ, **environ},
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
        """Kill it, and what it has started, if it still runs; give the file back.

        May be called twice. What waits in the kernel, for a disk, ends later: nothing waits for it.
        """
        if self._child.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(self._child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(ENDING)
        self._output.close()


def _switched(ids: Ids) -> dict[str, Any]:
    """What makes a child another user's; nothing for one's own, for that may need no right."""
    if (ids.user, ids.group) == (os.geteuid(), os.getegid()):
        return {}
    return {"user": ids.user, "group": ids.group, "extra_groups": ids.groups}
