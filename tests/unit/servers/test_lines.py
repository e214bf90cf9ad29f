"""What servers and applications write, read by expressions that any client's text must not slow."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from unicorn_handover.servers import SERVERS

LONG = 200_000  # characters
CPU = 5.0  # seconds; each line takes milliseconds, or minutes


@pytest.fixture
def cpu_limit() -> Iterator[None]:
    """Fail a test that uses the processor for too long."""

    def fail(*signalled: object) -> None:
        raise AssertionError(f"it takes more than {CPU:g} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, fail)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.usefixtures("cpu_limit")
@pytest.mark.parametrize("begin", ["", '{"agent": "'])
@pytest.mark.parametrize("unit", ["method", "status", '"a', "method=A path="])
def test_no_line_holds_up_the_host(begin: str, unit: str) -> None:
    """A header of a request may be in it, and is searched in supervisord and circusd."""
    line = f'{begin}{unit * (LONG // len(unit))}"'
    for server in SERVERS.values():
        assert not server.lines.access.search(line)
