"""Hosts that remember their programs, one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from unicorn_handover.host.notes import BOOT_ID
from unicorn_handover.kernel.private_folder import PrivateFolder

from ..fake_host import FakeHost
from ..fake_system import FakeSystem


def remembering(host: FakeHost, state: Path) -> FakeHost:
    """Let a host remember its programs, on a machine that was booted once."""
    host.kernel.files[BOOT_ID] = "boot-1\n"
    host.open_notes(str(state), "fake", "/etc/fake.conf")
    return host


def killed(host: FakeHost, state: Path) -> FakeHost:
    """Kill a host, and return the next one: on the same machine, with children of its own."""
    kernel: FakeSystem = host.kernel
    host.close_notes()
    for program in host.programs.values():  # its descriptors end with it
        program.release()
    for fake in kernel.processes.values():
        fake.ppid = 999 if fake.ppid == 1 else fake.ppid  # of init
    return remembering(FakeHost(kernel), state)


def note_of(state: Path) -> Path:
    """The file of the program web."""
    (path,) = state.glob("*/web-*.json")
    return path


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Let nothing be written, as on a full disk."""
    full = OSError(28, "No space left on device")
    with mock.patch.object(PrivateFolder, "write", side_effect=full):
        yield
