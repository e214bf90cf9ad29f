"""Starts a master that executes its command when the host has remembered it, and not before."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
from collections.abc import Mapping, Sequence

from ..errors import PREFIX
from .gate import Gate
from .spawn import IGNORED, CannotRun

KEPT = (signal.SIGKILL, signal.SIGSTOP)  # nobody can change what these do


def start_gated(
    words: Sequence[str],
    descriptors: Mapping[int, int],
    environ: Mapping[str, str],
    directory: str,
) -> tuple[int, Gate]:
    """Start a command as `spawn` does, and return its pid and the gate that it waits at.

    If this process dies before it opens the gate, nothing is executed. Raises CannotRun for a
    command that is not there, and where no descriptor or process is left; what else is wrong with
    the command shows when it is executed.
    """
    _refuse_missing(words, environ, directory)
    try:
        gate = Gate()
    except OSError as error:
        raise CannotRun(words, error) from None
    # A signal in the child would be written to the parent's own pipe of signals.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = _fork(words, gate)
        if not pid:
            _become(words, descriptors, environ, directory, gate)
        os.setpgid(pid, pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid, gate


def _fork(words: Sequence[str], gate: Gate) -> int:
    try:
        return os.fork()
    except OSError as error:
        gate.open()  # which closes it
        raise CannotRun(words, error) from None


def _refuse_missing(words: Sequence[str], environ: Mapping[str, str], directory: str) -> None:
    path = os.path.join(directory, words[0]) if os.path.dirname(words[0]) else words[0]
    if not os.path.isdir(directory):
        error = OSError(errno.ENOENT, os.strerror(errno.ENOENT), directory)
    elif shutil.which(path, path=environ.get("PATH", os.defpath)):
        return
    else:
        number = errno.EACCES if os.path.exists(path) else errno.ENOENT
        error = OSError(number, os.strerror(number), words[0])
    raise CannotRun(words, error)


def _become(
    words: Sequence[str],
    descriptors: Mapping[int, int],
    environ: Mapping[str, str],
    directory: str,
    gate: Gate,
) -> None:
    """In the child: become the command. Never returns."""
    status = 126
    try:
        _have_defaults()
        os.setpgid(0, 0)
        os.chdir(directory)
        gate.wait()
        _have(descriptors)
        os.execvpe(words[0], list(words), dict(environ))
    except OSError as error:
        why = CannotRun(words, error)
        status = why.status
        os.write(2, f"{PREFIX}{why}\n".encode())
    finally:
        os._exit(status)


def _have_defaults() -> None:
    """Leave this Python's handlers, and what it ignores, to the parent."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number not in KEPT and (callable(signal.getsignal(number)) or number in IGNORED):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _have(descriptors: Mapping[int, int]) -> None:
    """Have descriptors by their numbers there, out of each other's way first; an empty input."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    above = max(descriptors, default=0) + 1
    spare = {there: _above(here, above) for there, here in descriptors.items()}
    for there, here in spare.items():
        os.dup2(here, there)


def _above(descriptor: int, least: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
