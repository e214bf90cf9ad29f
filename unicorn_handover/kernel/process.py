"""One process, held by a pidfd."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct

from .procfs import ended_with
from .readiness import readable
from .spare import with_spare

# ioctl_pidfd(2), include/uapi/linux/pidfd.h
PIDFD_INFO_EXIT = 1 << 3
PIDFD_INFO = struct.Struct("=QQ11Ii")  # mask, cgroup, 11 ids, exit code
PIDFD_GET_INFO = 3 << 30 | PIDFD_INFO.size << 16 | 0xFF << 8 | 11


class Process:
    """One process, held by a pidfd: (pid, start time) never names another one.

    The descriptor is close-on-exec, becomes readable when the process exits, and is given back by
    `close`.
    """

    def __init__(self, pid: int, start: int, pidfd: int) -> None:
        self.pid = pid
        self.start = start
        self._pidfd = pidfd

    def fileno(self) -> int:
        """Return the pidfd, or -1 after `close`."""
        return self._pidfd

    def alive(self) -> bool:
        """True until the process has exited (a zombie is not alive)."""
        return self._pidfd >= 0 and not readable(self._pidfd)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to exactly this process; False if it is gone.

        Raises PermissionError if this user may not signal it.
        """
        if self._pidfd < 0:
            return False
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            user = os.geteuid()
            raise PermissionError(f"user {user} may not signal pid {self.pid}") from None
        return True

    def wait_status(self) -> int | None:
        """How it ended, as waitpid(2) tells its parent; None while that does not show.

        A zombie shows it to its own user and to root. From then on the pidfd does, since Linux
        6.15. None after `close`.
        """
        if self._pidfd < 0:
            return None
        status = self._status_of_reaped()
        if status is None:
            status = ended_with(self.pid, self.start)
        # Its parent may have reaped it between the two looks.
        return self._status_of_reaped() if status is None else status

    def _status_of_reaped(self) -> int | None:
        answer = bytearray(PIDFD_INFO.pack(PIDFD_INFO_EXIT, *[0] * 13))
        try:
            fcntl.ioctl(self._pidfd, PIDFD_GET_INFO, answer)
        except OSError:  # the kernel does not tell
            return None
        mask, *_, status = PIDFD_INFO.unpack(answer)
        return int(status) if mask & PIDFD_INFO_EXIT else None

    def reaped(self) -> Reaped:
        """Wait from now on until its parent has reaped it, once it is dead."""
        return Reaped(self._pidfd)

    def close(self) -> None:
        """Give the pidfd back. May be called twice."""
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)

    def __repr__(self) -> str:
        return f"<Process {self.pid}@{self.start}>"


class Reaped:
    """Becomes readable when a process has been reaped: its pidfd hangs up then (Linux 6.9).

    The descriptor is close-on-exec, and given back by `close`.
    """

    def __init__(self, pidfd: int) -> None:
        self._epoll = with_spare(select.epoll)
        self._epoll.register(pidfd, 0)  # EPOLLHUP is reported all the same: epoll_ctl(2)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Give it back."""
        self._epoll.close()
