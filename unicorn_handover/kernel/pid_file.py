"""A server's pid file, out of the way while a second master starts that writes the same one."""

from __future__ import annotations

import contextlib
import os
import stat

from ..errors import Refused, printable
from .procfs import eyes_of_owner

LONGEST = 32  # bytes of a pid file: more is something else
ASIDE = ".oldbin"  # as unicorn's own re-exec has it; `before_fork` hooks look for that


class PidFile:
    """One pid file. It is touched only while it holds the pid that is expected in it.

    unicorn and gunicorn refuse to start on one that names a living process, and at their end unlink
    it only if it names themselves (HttpServer#pid=, #unlink_pid_safe; Pidfile.validate, .unlink).
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def names(self, pid: int) -> bool:
        """True if the file holds this pid."""
        return pid_in(self.path) == pid

    def move_aside(self, old: int) -> bool:
        """Rename it to PATH.oldbin, if it names the master `old`; True if it does, or did before.

        Raises Refused if it may not be renamed.
        """
        if self.names(old):
            try:
                os.rename(self.path, self.path + ASIDE)
            except OSError as error:
                raise Refused(
                    f"the pid file {printable(self.path)} names the running master and cannot be "
                    f"renamed ({error.strerror}); let the host write in its directory"
                ) from error
        return self._is_aside(old)

    def put_back(self, old: int) -> None:
        """Give the old master its pid file back, after the new one has ended."""
        if self._is_aside(old):
            with contextlib.suppress(OSError):
                os.rename(self.path + ASIDE, self.path)

    def forget(self, old: int) -> None:
        """Unlink what was moved aside: the old master has ended, or is about to."""
        if self._is_aside(old):
            with contextlib.suppress(OSError):
                os.unlink(self.path + ASIDE)

    def remove(self, dead: int) -> None:
        """Unlink it if it names `dead`, a process that has ended."""
        if self.names(dead):
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def write_if_gone(self, pid: int) -> None:
        """Write it for a living master whose own was unlinked by another one, as its user would."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with contextlib.suppress(OSError), eyes_of_owner(pid):
            descriptor = os.open(self.path, flags, 0o644)
            os.write(descriptor, f"{pid}\n".encode())
            os.close(descriptor)

    def _is_aside(self, old: int) -> bool:
        return pid_in(self.path + ASIDE) == old


def pid_in(path: str) -> int:
    """The pid in a file, 0 if it holds none or is no regular file."""
    try:
        # A FIFO would block otherwise.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return 0
        words = os.read(descriptor, LONGEST).split()
        return int(words[0]) if len(words) == 1 and words[0].isdigit() else 0
    except OSError:
        return 0
    finally:
        os.close(descriptor)
