"""Hosts and programs for the scenarios, and the proof that each test leaves nothing behind."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from ..kit import hosts
from ..kit.circus_host import CircusHost
from ..kit.daemon_host import DaemonHost
from ..kit.host import Host
from ..kit.processes import describe, kill, living_in
from ..kit.programs import BEFORE_ORPHANS_END, Program, short_folder
from ..waiting import wait_until

MakeHost = Callable[..., Host]

# What `require "unicorn"` has added to where Ruby looks for files.
GEM_PATHS = 'known = $LOAD_PATH.dup; require "unicorn"; print(($LOAD_PATH - known).join(":"))'

SHOWN = 4000  # characters at each end of a log in a failed test's report

PAIRS = pytest.mark.parametrize(
    ("host_class", "server"),
    [("supervisor", "unicorn"), ("circus", "gunicorn")],
    indirect=True,
)
CROSSED = pytest.mark.parametrize(
    ("host_class", "server"),
    [("supervisor", "gunicorn"), ("circus", "unicorn")],
    indirect=True,
)
"""Each host and each server once, for what does not depend on which host has which server."""

ON_SUPERVISOR = pytest.mark.parametrize("host_class", ["supervisor"], indirect=True)
ON_CIRCUS = pytest.mark.parametrize("host_class", ["circus"], indirect=True)
"""One host, for what the engine does alike on all: some of it on this one, some on that."""


@pytest.fixture(scope="session")
def without_gems() -> dict[str, str]:
    """The variables by which Ruby finds unicorn without Rubygems."""
    asked = subprocess.run(["ruby", "-e", GEM_PATHS], stdout=subprocess.PIPE, text=True, check=True)
    return {"RUBYLIB": asked.stdout, "RUBYOPT": "--disable=gems"}


@pytest.fixture(autouse=True)
def cheap_starts(without_gems: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Start unicorn without Rubygems, and hosts in processes that have loaded their modules.

    Cold starts take most of the processor time of the tests, and no part in what these guard.
    """
    monkeypatch.setattr(DaemonHost, "is_forked", True)
    for name, value in without_gems.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the test's own; afterwards no process may be left that belongs to it."""
    path = short_folder()
    yield path
    left = living_in(path)
    for found in left:
        kill(found)
    shutil.rmtree(path, ignore_errors=True)
    assert not left, f"left behind: {left}"


@pytest.fixture(params=hosts.HOSTS)
def host_class(request: pytest.FixtureRequest) -> type[Host]:
    """Every kind of host in turn that is the daemon of many programs, or those of the parameter."""
    kind: type[Host] = hosts.ALL[request.param]
    return kind


@pytest.fixture(params=["unicorn", "gunicorn"])
def server(request: pytest.FixtureRequest) -> str:
    """Every server in turn."""
    return str(request.param)


@pytest.fixture
def make_host(folder: Path, host_class: type[Host]) -> Iterator[MakeHost]:
    """Make a host, not started, that is shut down as an operator would when the test ends."""
    yield from _makes(folder, host_class)


@pytest.fixture
def make_supervisor(folder: Path) -> Iterator[MakeHost]:
    """Make a supervisord, not started."""
    yield from _makes(folder, hosts.HOSTS["supervisor"])


@pytest.fixture
def web(folder: Path, request: pytest.FixtureRequest) -> Program:
    """A program; its server is the fixture's parameter, if it has one."""
    return Program(folder, server=getattr(request, "param", "unicorn"))


@pytest.fixture
def circusd(folder: Path, web: Program) -> Iterator[CircusHost]:
    """A circusd that has it; not started."""
    circusd = CircusHost(folder, [web], {})
    yield circusd
    (folder / "slow-gate").touch()  # of a `slow_watcher`
    _end(circusd)


def _makes(folder: Path, kind: type[Host]) -> Iterator[MakeHost]:
    made: list[Host] = []

    def make(
        *programs: Program, options: Mapping[str, str] | None = None, unmanaged: Sequence[str] = ()
    ) -> Host:
        host = kind(folder, programs, options or {}, unmanaged)
        made.append(host)
        return host

    yield make
    for host in made:
        _end(host)


def _end(host: Host) -> None:
    """Shut a host down; what its shutdown leaves is found by the `folder` fixture."""
    if host.pid():
        for program in host.programs.values():
            with contextlib.suppress(OSError):
                program.open_gate()
        host.shutdown()
    with contextlib.suppress(AssertionError):  # the kernel may take a moment to end the last
        wait_until(lambda: not living_in(host.folder), "all are gone", BEFORE_ORPHANS_END)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show a failed test's logs and processes in its report."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("folder")
    if report.when == "call" and report.failed and folder and folder.exists():
        report.sections.append(("processes", "\n".join(map(describe, living_in(folder)))))
        for path in sorted(folder.iterdir()):
            if path.suffix in (".log", ".out", ".err"):
                report.sections.append((path.name, _excerpt(path.read_text(errors="replace"))))
    return report


def _excerpt(log: str) -> str:
    """A log's beginning, where a fault often is, and its end."""
    return log if len(log) <= 2 * SHOWN else f"{log[:SHOWN]}\n[...]\n{log[-SHOWN:]}"
