"""Starts children of this process, each in a process group of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ..errors import Refused, printable

IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python


class CannotRun(Refused):
    """A command that cannot be executed. status: what a shell gives, 127 if it is not there."""

    def __init__(self, words: Sequence[str], error: OSError) -> None:
        self.status = 127 if isinstance(error, FileNotFoundError) else 126
        where = f"{printable(error.filename)}: " if error.filename not in (None, words[0]) else ""
        super().__init__(f"cannot run {printable(words[0])}: {where}{error.strerror}")


def spawn(
    words: Sequence[str],
    descriptors: Mapping[int, int] | None = None,
    environ: Mapping[str, str] = os.environ,
    directory: str = ".",
) -> int:
    """Start a command and return its pid. Raises CannotRun.

    It leads a process group of its own: a terminal's Ctrl-C is for this process alone, which sends
    what it means. Its input is empty, for a background group that reads from a terminal is sent
    TTIN, which adds a worker. `descriptors` are those that it gets, by their numbers there.
    """
    with contextlib.ExitStack() as stack:
        try:
            actions = _actions(stack, descriptors or {})
            stack.enter_context(_in(directory))
            return os.posix_spawnp(
                words[0],
                list(words),
                environ,
                file_actions=actions,
                setpgroup=0,
                setsigmask=(),
                setsigdef=IGNORED,
            )
        except OSError as error:
            raise CannotRun(words, error) from None


def _actions(stack: contextlib.ExitStack, descriptors: Mapping[int, int]) -> list[tuple[Any, ...]]:
    """What the child does before the exec; what that needs is held by the stack."""
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    above = max(descriptors, default=0) + 1  # out of each other's way first
    for there, here in descriptors.items():
        spare = fcntl.fcntl(here, fcntl.F_DUPFD_CLOEXEC, above)
        stack.callback(os.close, spare)
        actions.append((os.POSIX_SPAWN_DUP2, spare, there))
    return actions


@contextlib.contextmanager
def _in(directory: str) -> Iterator[None]:
    """Be in a directory: posix_spawn knows no other way to start a child there."""
    here = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        os.chdir(directory)
        yield
    finally:
        os.fchdir(here)
        os.close(here)


def inherit_only(numbers: Collection[int]) -> None:
    """Between fork and exec: let the child have these descriptors, 0 to 2, and no other."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        with contextlib.suppress(OSError):  # the one that has listed them
            if number > 2:
                os.set_inheritable(number, number in numbers)


def limits() -> str:
    """The limits and the umask that children inherit, to be compared."""
    names = sorted(name for name in vars(resource) if name.startswith("RLIMIT_"))
    limits = [(name, resource.getrlimit(getattr(resource, name))) for name in names]
    umask = os.umask(0o077)
    os.umask(umask)
    return f"{umask:o} {limits}"
