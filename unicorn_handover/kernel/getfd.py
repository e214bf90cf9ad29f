"""pidfd_getfd(2): a copy of another process's descriptor, and why the kernel refuses one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from .process import Process

SYS_PIDFD_GETFD = 438  # on every architecture but alpha: include/uapi/asm-generic/unistd.h
# The numbers of setresuid and setresgid: arch/*/entry/syscalls, include/uapi/asm-generic/unistd.h.
SYS_SETRES = {
    "x86_64": (117, 119),
    "aarch64": (147, 149),
    "riscv64": (147, 149),
    "ppc64le": (164, 169),
    "s390x": (208, 210),
}
LIBC = ctypes.CDLL(None, use_errno=True)
YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")

T = TypeVar("T")


def copy_descriptors(owner: Process, numbers: Iterable[int]) -> dict[int, int]:
    """Copy these descriptors of a held process; without those that it has closed meanwhile.

    The copies are close-on-exec, and the caller closes them. Raises PermissionError, with what to
    do about it, if this process may not have them.
    """
    numbers = list(numbers)
    try:
        return _copy(owner, numbers)
    except PermissionError as refusal:
        with contextlib.suppress(PermissionError):
            return _as_owner(owner.pid, lambda: _copy(owner, numbers))
        raise PermissionError(_why_denied(owner.pid)) from refusal


def _copy(owner: Process, numbers: Iterable[int]) -> dict[int, int]:
    copies: dict[int, int] = {}
    try:
        for number in numbers:
            copy = _getfd(owner.fileno(), number)
            if copy >= 0:
                copies[number] = copy
    except BaseException:
        for copy in copies.values():
            os.close(copy)
        raise
    return copies


def _getfd(pidfd: int, number: int) -> int:
    """Return the copy, -1 if the descriptor was closed or its owner has ended. Raises OSError."""
    try:
        return _system_call(SYS_PIDFD_GETFD, pidfd, number, 0)
    except OSError as error:
        if error.errno in (errno.EBADF, errno.ESRCH):
            return -1
        if error.errno == errno.ENOSYS:
            raise PermissionError(error.errno, error.strerror) from None
        raise


def _system_call(number: int, *arguments: int) -> int:
    result = LIBC.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(result)


def _as_owner(pid: int, act: Callable[[], T]) -> T:
    """Run `act` with the real ids of a process's user, which is what the kernel compares.

    Raises PermissionError if that cannot be or does not help.

    root without CAP_SYS_PTRACE, as in most containers, may not attach to another user's process,
    but may take on that user's ids. The system calls change one thread alone (glibc's functions
    would change all), and that thread ends here: nothing has to be changed back, so nothing can
    fail in that and leave the host with another user's ids. The effective ids stay.
    """
    outcome: list[T] = []
    refusals: list[BaseException] = []

    def attempt() -> None:
        try:
            _take_real_ids(os.stat(f"/proc/{pid}"))
            outcome.append(act())
        except BaseException as error:
            refusals.append(error)

    thread = threading.Thread(target=attempt, name="copy-as-owner", daemon=True)
    thread.start()
    thread.join()
    for refusal in refusals:
        raise refusal
    return outcome[0]


def _take_real_ids(owner: os.stat_result) -> None:
    calls = SYS_SETRES.get(os.uname().machine)
    if calls is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise PermissionError(errno.ENOSYS, "the numbers of the system calls are not known here")
    set_uids, set_gids = calls
    _system_call(set_gids, owner.st_gid, -1, -1)
    _system_call(set_uids, owner.st_uid, -1, -1)


def _why_denied(pid: int) -> str:
    """One line: why this process may not copy that one's descriptors, and what to do."""
    refused = f"user {os.geteuid()} may not copy the sockets of pid {pid}"
    return f"{refused}: {_reason(pid)}"


def _reason(pid: int) -> str:
    own = _refusal_of_own()
    if own == errno.ENOSYS:
        return "pidfd_getfd is missing; use Linux 5.6 or newer, or allow it in the seccomp profile"
    if own:
        return (
            "a seccomp profile refuses pidfd_getfd; run the host with the capability "
            "CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE) or allow that system call"
        )
    scope = _yama_scope()
    if scope == 3:
        return "kernel.yama.ptrace_scope = 3 forbids it; set it to 2 or lower and boot again"
    if _is_undumpable(pid):
        what = "it is not dumpable (PR_SET_DUMPABLE, or a program with file capabilities)"
    elif scope:
        what = f"kernel.yama.ptrace_scope = {scope} forbids it"
    else:
        what = "it is another user's, or has capabilities that this host has not"
    return (
        f"{what}; run the host with the capability CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
    )


def _refusal_of_own() -> int:
    """The error of copying a descriptor of our own: only a filter or an old kernel refuses that."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        os.close(_system_call(SYS_PIDFD_GETFD, pidfd, pidfd, 0))
    except OSError as error:
        return error.errno or 0
    finally:
        os.close(pidfd)
    return 0


def _yama_scope() -> int:
    """kernel.yama.ptrace_scope, 0 where Yama is not built in."""
    try:
        return int(YAMA.read_text())
    except (OSError, ValueError):
        return 0


def _is_undumpable(pid: int) -> bool:
    """True if the kernel gives the files in /proc/PID, but not the directory, to root (proc(5))."""
    try:
        return os.stat(f"/proc/{pid}").st_uid != os.stat(f"/proc/{pid}/status").st_uid
    except OSError:
        return False
