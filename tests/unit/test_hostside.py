"""What both hosts tell callers, on a host side without a host."""

from __future__ import annotations

import signal
import socket
from typing import Any
from unittest.mock import Mock

import pytest

from unicorn_handover import __version__
from unicorn_handover.errors import Refused
from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.logs import Output
from unicorn_handover.host.side import HostSide
from unicorn_handover.model.options import Options
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import Launch

from .fake_system import FakeSystem


class Site(HostSide):
    """One program, "web", that cannot be adopted."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.written = Output()
        self.forked = MasterId(7, 70)
        self.kernel = FakeSystem()
        super().__init__(self.kernel)  # type: ignore[arg-type]

    def master(self, program: str) -> MasterId | None:
        return self.forked

    def options(self, program: str) -> Options | None:
        return Options(boot_timeout=10) if program in ("web", "api") else None

    def launch(self, program: str) -> Launch:
        return Launch(f"program:{program}", "directory", ("unicorn",), "/srv/web", "/srv/web")

    def stop_signal(self, program: str) -> tuple[str, int]:
        return "[program:web] stopsignal", signal.SIGTERM

    def known_pids(self) -> list[int]:
        return []

    def settle(self, program: str) -> None:
        raise OSError("no")

    def output(self, program: str) -> Output:
        return self.written

    def tell(self, text: str, warning: bool) -> None:
        self.lines.append(text)

    def publish(self, record: Record) -> None:
        pass

    def absence(self) -> str:
        return "there is no driver"

    def drive(self, phase: Phase, **changes: Any) -> None:
        """Send a record as the driver does."""
        running = self.ledger.page("web").running
        assert running
        now = self.system.clock()
        self.take(running.but(phase=phase, since=now, **changes).to_json())


def assert_told_of_a_stuck_driver(site: Site, program: str, number: int, phase: str) -> None:
    """The driver lets web's booting, which may last for 10 s, outlast that: a caller is told."""
    site.drive(Phase.BOOTING, signalled=site.system.clock())
    site.kernel.advance_to(site.kernel.now + 20)
    assert site.handover(program, number)
    site.kernel.advance_to(site.kernel.now + 10)
    with pytest.raises(Refused, match=f"there is no driver; it will go on .* {phase}"):
        site.handover(program, number)


def test_a_driver_that_lets_a_phase_outlast_its_time_is_told() -> None:
    """A caller does not wait for ever on a driver that is alive and stuck."""
    site = Site()
    site.ledger.driver_came()
    assert_told_of_a_stuck_driver(site, "web", site.ledger.request("web"), "booting")


def test_a_caller_in_the_queue_behind_such_a_driver_is_told() -> None:
    """A queue has no end of its own, but what it waits for has."""
    site = Site()
    site.ledger.driver_came()
    site.ledger.request("web")
    number = site.ledger.request("api")
    queued = site.ledger.page("api").running
    assert queued
    site.take(queued.but(phase=Phase.QUEUED).to_json())
    assert_told_of_a_stuck_driver(site, "api", number, "queued")


def test_a_new_master_is_known_beyond_the_end_of_its_handover() -> None:
    """The driver may see the old master die, and end it so, before the host has seen that."""
    site = Site()
    new = MasterId(8, 80)
    site.ledger.request("web")
    site.drive(Phase.REMOVING, new=new, reason="rolled back")
    assert site.new_master("web", 7) == new and site.new_master("web", 9) is None
    site.ledger.request("web")
    site.drive(Phase.FAILED, new=new, reason="the old master ended")
    assert site.ledger.page("web").running and site.new_master("web", 7) == new


def test_no_record_is_lost_for_an_error_beside_it() -> None:
    """Output that cannot be read, or an adoption that fails, do not keep one from its end."""
    site = Site()
    site.written.excerpts = Mock(side_effect=OSError("no"))  # type: ignore[method-assign]
    site.ledger.driver_came()
    number = site.ledger.request("web")
    site.drive(Phase.RE_EXECUTING, signalled=1.0)
    site.drive(Phase.FAILED, reason="it failed")
    record = site.handover("web", number)
    assert record and record.phase is Phase.FAILED and record.reason == "it failed"
    assert any("OSError" in line for line in site.lines)


def test_a_driver_of_another_version_is_told_of_while_it_is_there() -> None:
    """One line in the log, and a warning in every status until that driver has gone."""
    site = Site()
    site.driver_greeted(__version__)
    assert site.lines == [] and site.status("web")["warning"] == ""
    site.driver_greeted("0\n")
    assert site.lines == [site.status("web")["warning"]]
    assert site.lines[0].startswith(f"the driver is of version 0\\n and its host of {__version__};")
    with socket.socket() as channel:
        site.driver_came(HostEnd(channel, lambda message: None, site.lines.append))
        site.driver_went()
    assert site.status("web")["warning"] == ""


def test_a_stop_signal_is_warned_of_when_the_program_shows_its_server() -> None:
    """A process that has only been forked when it counts as started is looked at again."""
    site = Site()
    fake = site.kernel.add(ppid=1, forked=True, words=["supervisord", "-n"])
    site.forked = MasterId(fake.pid, fake.start)
    site.started("web")
    site.tick()
    assert site.lines == []
    fake.words = ["ruby", "/usr/bin/unicorn", "-c", "unicorn.rb"]
    for _ in range(2):
        site.tick()
    assert site.lines == [
        "[program:web] stopsignal: TERM makes unicorn cut its requests at every stop; "
        "set stopsignal = QUIT"
    ]
