"""A driver that is away, is stuck or is of another version: callers and log are told."""

from __future__ import annotations

import socket

from unicorn_handover import __version__
from unicorn_handover.host.presence import DRIVER_GRACE
from unicorn_handover.host.request import Request
from unicorn_handover.model.deadlines import deadline
from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost
from .starting import Channel


def assert_told_of_a_stuck_driver(host: FakeHost, request: Request, phase: str) -> None:
    """The driver lets web's booting, which may last for 10 s, outlast that: a caller is told."""
    host.drive(Phase.BOOTING, signalled=host.kernel.clock())
    host.wait(20)
    request.poll()
    assert not request.has_ended
    host.wait(10)
    request.poll()
    assert request.has_ended
    assert request.reason == (
        f"there is no driver; it will go on with the handover, which is {phase}"
    )


def test_a_driver_that_lets_a_phase_outlast_its_time_is_reported(host: FakeHost) -> None:
    """A caller does not wait for ever on a driver that is alive and stuck."""
    assert_told_of_a_stuck_driver(host, Request(host, host.web), "booting")


def test_a_caller_in_the_queue_behind_such_a_driver_is_reported(host: FakeHost) -> None:
    """A queue has no end of its own, but what it waits for has."""
    host.request(host.web)
    request = Request(host, host.api)
    host.drive(Phase.QUEUED, host.api)
    assert_told_of_a_stuck_driver(host, request, "queued")


def test_a_driver_that_stays_away(host: FakeHost) -> None:
    """After the grace what has not begun fails with the reason; what has begun is kept."""
    host.request(host.web)
    host.request(host.api)
    host.drive(Phase.BOOTING)
    host.presence.went()
    host.wait(DRIVER_GRACE - 0.1)
    host.tick()
    assert host.api.handovers.running and not host.driverless(host.web)
    host.wait(0.2)
    host.tick()
    assert "there is no driver" in host.driverless(host.web)
    assert host.web.handovers.running and host.api.handovers.running is None
    assert host.api.handovers.ended[-1].reason == "there is no driver"
    host.presence.came()
    assert not host.driverless(host.web)


def test_the_time_without_a_driver_counts_for_no_deadline(host: FakeHost) -> None:
    """What the next one finds has the rest of its time: those that die time and again have it too.

    A killed host's handover is no other than one of this host by then.
    """
    host.request(host.web)
    began = host.kernel.clock()
    host.driver_came(Channel())  # type: ignore[arg-type]
    host.drive(Phase.BOOTING, signalled=began, inherited=True)
    for left in (6, 2):
        host.wait(4)
        host.driver_went()
        host.wait(100)
        host.driver_came(Channel())  # type: ignore[arg-type]
        running = host.web.handovers.running
        assert running and not host.driverless(host.web)
        assert deadline(running, host.web.options) == host.kernel.clock() + left


def test_the_time_with_a_stuck_driver_counts_for_no_deadline(host: FakeHost) -> None:
    """It is restarted, as the host says: a release that was ready in time is looked at first."""
    host.request(host.web)
    host.driver_came(Channel())  # type: ignore[arg-type]
    host.drive(Phase.BOOTING, signalled=host.kernel.clock())
    host.wait(10 + DRIVER_GRACE)
    assert host.driverless(host.web)
    host.driver_went()
    host.driver_came(Channel())  # type: ignore[arg-type]
    running = host.web.handovers.running
    assert running and deadline(running, host.web.options) == host.kernel.clock() + 10


def test_a_driver_that_the_host_has_given_up(host: FakeHost) -> None:
    """Callers hear at once that none will come, and what has not begun fails."""
    host.request(host.web)
    host.request(host.api)
    host.drive(Phase.BOOTING)
    host.presence.went()
    host.presence.given_up = True
    host.tick()
    assert "there is no driver" in host.driverless(host.web)
    assert host.web.handovers.running and host.api.handovers.running is None


def test_a_driver_that_was_away_for_long_may_come_for_a_new_handover(host: FakeHost) -> None:
    """The grace begins when the handover is asked for, not when the last driver went."""
    host.presence.went()
    host.wait(10 * DRIVER_GRACE)
    host.request(host.web)
    host.tick()
    assert host.web.handovers.running
    host.wait(DRIVER_GRACE - 0.1)
    host.presence.came()
    host.wait(0.2)
    host.tick()
    assert host.web.handovers.running
    host.wait(DRIVER_GRACE)
    host.tick()
    assert host.web.handovers.running is None


def test_a_driver_that_is_stuck(host: FakeHost) -> None:
    """A driver that is there but does not take an order is told of as well; a queue may be long."""
    host.request(host.web)
    host.request(host.api)
    host.drive(Phase.QUEUED, host.api)
    host.wait(DRIVER_GRACE)
    host.tick()
    assert host.web.handovers.running is None and host.api.handovers.running


def test_a_driver_that_is_busy(host: FakeHost) -> None:
    """One that takes many programs, one after the other, is not stuck; after the last one it is."""
    host.request(host.web)
    host.request(host.api)
    host.wait(DRIVER_GRACE - 1)
    host.drive(Phase.CHECKING, host.api)
    host.wait(DRIVER_GRACE - 1)
    host.tick()
    assert host.web.handovers.running
    host.wait(2)
    host.tick()
    assert host.web.handovers.running is None


def test_a_driver_of_another_version_is_told_of_while_it_is_there(
    host: FakeHost, driver: socket.socket
) -> None:
    """One line in the log, and a warning in every status until that driver has gone."""
    host.driver_greeted(__version__)
    assert host.lines == [] and host.status(host.web)["warning"] == ""
    host.driver_greeted("0\n")
    assert host.lines == [host.status(host.web)["warning"]]
    assert host.lines[0].startswith(f"the driver is of version 0\\n and its host of {__version__};")
    host.driver_went()
    assert host.status(host.web)["warning"] == ""
