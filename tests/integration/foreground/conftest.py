"""Runners of one program, each ended when its test ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...kit.foreground_host import ForegroundHost, RunsvHost
from ...kit.processes import living_in
from ...kit.programs import BEFORE_ORPHANS_END, Program
from ...waiting import wait_until


@pytest.fixture
def web(folder: Path, request: pytest.FixtureRequest) -> Program:
    """A program; its server is the fixture's parameter, if it has one."""
    return Program(folder, server=getattr(request, "param", "unicorn"))


@pytest.fixture
def host(folder: Path, web: Program) -> Iterator[ForegroundHost]:
    """A runner; not started."""
    host = ForegroundHost(folder, [web])
    yield host
    end(host)


@pytest.fixture
def runsv(folder: Path, web: Program) -> Iterator[RunsvHost]:
    """A runsv; not started."""
    host = RunsvHost(folder, [web])
    yield host
    end(host)


def end(host: ForegroundHost) -> None:
    """End a host; what that leaves is found by the `folder` fixture."""
    with contextlib.suppress(OSError):
        host.program.open_gate()
    if host.process and host.process.poll() is None:
        host.shutdown()
    with contextlib.suppress(AssertionError):  # the kernel may take a moment to end the last
        wait_until(lambda: not living_in(host.folder), "all are gone", BEFORE_ORPHANS_END)


both = pytest.mark.parametrize("web", ["unicorn", "gunicorn"], indirect=True)
