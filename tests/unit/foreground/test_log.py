"""The runner's log, where nobody reads it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from foreground_unicorn import log
from foreground_unicorn.log import PAUSE, Log

from ..fake_host import FakeLoop
from ..fake_system import FakeSystem


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Both ends of a pipe that is full."""
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    with os.fdopen(writer, "w") as stream:
        yield reader, stream
    os.close(reader)


def test_a_reader_that_hangs_holds_nothing_up(
    system: FakeSystem, pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines are written, in their order, when it reads again."""
    reader, stream = pipe
    monkeypatch.setattr(sys, "stderr", stream)
    loop = FakeLoop(system)
    lines = Log(loop)
    lines.write("first")
    lines.write("second")
    os.read(reader, 1 << 20)
    system.advance_to(system.now + PAUSE)
    assert os.read(reader, 100) == b"first\nsecond\n"
    lines.write("third")
    assert os.read(reader, 100) == b"third\n" and loop.timers == []


def test_only_so_many_lines_wait(
    system: FakeSystem, pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are kept."""
    reader, stream = pipe
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(log, "MOST", 2)
    lines = Log(FakeLoop(system))
    for text in ("a", "b", "c"):
        lines.write(text)
    os.read(reader, 1 << 20)
    system.advance_to(system.now + PAUSE)
    assert os.read(reader, 100) == b"b\nc\n"
