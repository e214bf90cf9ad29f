"""A host for a while, for who is no test: demo and benchmarks."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from .host import Host
from .processes import kill, living_in
from .programs import short_folder


class Failed(Exception):
    """A host did not come up."""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that is removed after the block."""
    path = short_folder()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def running(host: Host) -> Iterator[Host]:
    """Start a host with its programs, and shut it down after the block.

    Raises Failed, with what they have logged, if it does not come up.
    """
    try:
        try:
            host.start()
        except AssertionError as why:
            logs = "".join(host.log(name) for name in host.programs)
            raise Failed(f"{host.name} did not start: {why}\n{host.host_log()}{logs}") from None
        yield host
    finally:
        with contextlib.suppress(AssertionError):
            host.shutdown()
        for left in living_in(host.folder):
            kill(left)


def end_leftovers() -> int:
    """End all that was started here and still runs; return how many that were."""
    below = psutil.Process().children(recursive=True)
    left = [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    for one in left:
        with contextlib.suppress(psutil.Error):
            one.kill()
    return len(left)
