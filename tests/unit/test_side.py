"""What every host tells its callers and its driver, on a host side without a host."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from unicorn_handover import __version__
from unicorn_handover.host.channel import HostEnd
from unicorn_handover.host.handovers import KEPT
from unicorn_handover.host.presence import DRIVER_GRACE
from unicorn_handover.host.request import ACCEPTING, Request
from unicorn_handover.model.phases import Phase

from .fake_host import FakeHost


@pytest.fixture
def host() -> FakeHost:
    """One with both masters running, and a driver that says nothing by itself."""
    host = FakeHost()
    for program in (host.web, host.api):
        host.start(program)
    host.presence.came()
    return host


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


def test_a_driver_that_lets_a_phase_outlast_its_time_is_told(host: FakeHost) -> None:
    """A caller does not wait for ever on a driver that is alive and stuck."""
    assert_told_of_a_stuck_driver(host, Request(host, host.web), "booting")


def test_a_caller_in_the_queue_behind_such_a_driver_is_told(host: FakeHost) -> None:
    """A queue has no end of its own, but what it waits for has."""
    host.request(host.web)
    request = Request(host, host.api)
    host.drive(Phase.QUEUED, host.api)
    assert_told_of_a_stuck_driver(host, request, "queued")


def test_programs_count_for_themselves(host: FakeHost) -> None:
    """Each has a number 1, and the end of one is not the other's."""
    assert host.request(host.web) == host.request(host.api) == 1
    host.drive(Phase.DONE)
    assert host.web.handovers.running is None and host.api.handovers.running


def test_a_record_of_an_unknown_program_is_left(host: FakeHost) -> None:
    """A driver that was given it before the program was removed may go on for a moment."""
    host.request(host.web)
    record = host.web.handovers.running
    assert record
    host.take(record.but(program="nosuch", phase=Phase.DONE).to_json())
    assert host.web.handovers.running == record
    with pytest.raises((KeyError, TypeError, ValueError)):
        host.take({"phase": "nosuch"})


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


def test_each_phase_is_logged_and_published_once(host: FakeHost) -> None:
    """Not at every worker that becomes ready."""
    host.request(host.web)
    for ready in range(3):
        host.drive(Phase.BOOTING, ready=ready, total=3)
    host.drive(Phase.FAILED, reason="broken\n")
    assert [phase for _, _, phase in host.published] == ["requested", "booting", "failed"]
    pid = host.web.master and host.web.master.pid
    assert host.lines[0] == f"handover 1 of web: requested (pid {pid})"
    assert (
        host.lines[-1] == f"handover 1 of web: failed (pid {pid}, 2 of 3 workers ready): broken\\n"
    )


def test_an_event_that_cannot_be_sent_stops_nothing(host: FakeHost) -> None:
    """It is logged, and the handover goes on."""

    def broken(record: object) -> None:
        raise OSError("no\nway")

    host.publish = broken  # type: ignore[method-assign]
    assert host.request(host.web) == 1 and host.web.handovers.running
    assert host.lines[-1] == r"HostSide.changed failed: OSError: no\nway"


def test_a_forgotten_program_s_handover_ends(host: FakeHost) -> None:
    """Nothing of it is left: no descriptor, no order."""
    host.request(host.web)
    host.forget("web", "the program was removed")
    host.forget("web", "again")
    assert host.web.handovers.ended[-1].reason == "the program was removed"
    assert list(host.programs) == ["api"] and host.kernel.open_handles == 1


def test_a_caller_is_held_until_the_driver_has_looked(host: FakeHost) -> None:
    """Or for ACCEPTING, whichever comes first."""
    request = Request(host, host.web)
    assert not request.is_accepted
    host.drive(Phase.CHECKING)
    request.poll()
    assert not request.is_accepted
    host.drive(Phase.RE_EXECUTING)
    request.poll()
    assert request.is_accepted and not request.has_ended
    late = Request(host, host.api)
    host.wait(ACCEPTING)
    late.poll()
    assert late.is_accepted


def test_a_number_is_enough_to_go_on_watching(host: FakeHost) -> None:
    """Of one that is queued, of one that ended, and of one that never comes."""
    host.request(host.web)
    host.drive(Phase.BOOTING)
    number = host.request(host.web)
    assert not Request(host, host.web, number).has_ended
    host.drive(Phase.DONE)
    first = Request(host, host.web, 1)
    assert first.has_ended and first.reason == "" and first.record
    host.drive(Phase.BOOTING)
    cancelled = host.request(host.web)
    host.steer(host.web, "rollback")
    assert Request(host, host.web, cancelled).reason == (
        "it was waiting behind a handover that was cancelled"
    )
    host.drive(Phase.FAILED, reason="broken")
    request = Request(host, host.web, number)
    assert request.has_ended and request.reason == "broken"
    assert host.request(host.web) == cancelled + 1


def test_a_number_of_a_host_before_this_one(host: FakeHost) -> None:
    """A reload forgets; and of what ended long ago the outcome is forgotten, not its number."""
    assert Request(host, host.web, 7).reason == (
        "the host was reloaded, and knows nothing of it any more"
    )
    assert Request(host, host.web, 0).has_ended and host.web.handovers.running is None
    for _ in range(KEPT + 1):
        host.request(host.web)
        host.drive(Phase.DONE)
    assert Request(host, host.web, 1).reason == "it ended long ago, and nobody remembers how"
    assert Request(host, host.web, 2).reason == ""


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


@pytest.fixture
def driver(host: FakeHost) -> Iterator[socket.socket]:
    """The far end of a channel on which the driver is there."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.settimeout(10)

    def went(end: HostEnd) -> None:
        host.driver_went()

    end = HostEnd(near, host.loop, lambda end, said: host.take(said["record"]), went, host.log)
    host.driver_came(end)
    with far:
        yield far
    end.close()


def ordered(driver: socket.socket) -> list[tuple[str, int, str]]:
    """The newest orders: the program, the number and the operator's command of each."""
    message = json.loads(driver.recv(1 << 20))
    return [
        (order["record"]["program"], order["record"]["number"], order["wish"])
        for order in message["orders"]
    ]


def test_the_driver_is_told_of_every_change_once(host: FakeHost, driver: socket.socket) -> None:
    """The whole list, when a handover begins, is steered or ends; not at a mere report."""
    assert ordered(driver) == []
    host.request(host.web)
    assert ordered(driver) == [("web", 1, "")]
    host.drive(Phase.BOOTING)
    host.request(host.api)
    assert ordered(driver) == [("web", 1, ""), ("api", 1, "")]
    host.steer(host.web, "rollback")
    assert ordered(driver) == [("web", 1, "rollback"), ("api", 1, "")]
    host.drive(Phase.FAILED)
    assert ordered(driver) == [("api", 1, "")]


def test_a_caller_behind_an_unread_record_gets_the_next_one(
    host: FakeHost, driver: socket.socket
) -> None:
    """The record may say that USR2 was sent already; once it is read, and says no, they join."""
    host.request(host.web)
    record = host.web.handovers.running
    assert record
    driver.send(json.dumps({"record": record.but(phase=Phase.CHECKING).to_json()}).encode())
    assert host.request(host.web) == 2
    host.loop.turn()  # type: ignore[attr-defined]
    assert host.web.handovers.running and host.web.handovers.running.phase is Phase.CHECKING


def test_what_cannot_be_used_is_logged_and_the_next_is_heard(
    host: FakeHost, driver: socket.socket
) -> None:
    """Also the last words of a driver that was killed before it had read its own orders."""
    host.request(host.web)
    record = host.web.handovers.running
    assert record
    for said in (
        "nonsense",
        "[]",
        json.dumps({"record": record.but(phase=Phase.BOOTING).to_json()}),
    ):
        driver.send(said.encode())
    driver.close()
    host.loop.turn()  # type: ignore[attr-defined]
    assert host.web.handovers.running and host.web.handovers.running.phase is Phase.BOOTING
    assert len([line for line in host.lines if "cannot use what the driver said" in line]) == 2
    assert not host.presence.is_there and len(host.loop.watched) == 2  # type: ignore[attr-defined]
    host.request(host.api)  # nobody is told, and nothing raises


def test_a_driver_that_reads_nothing_gets_the_newest_orders(
    host: FakeHost, driver: socket.socket
) -> None:
    """The host does not wait for it: what the socket does not take is replaced by what is newer."""
    loop = host.loop
    for _ in range(10_000):
        host.request(host.web)
        host.drive(Phase.FAILED, reason="x" * 100)
        if loop.writers:  # type: ignore[attr-defined]
            break
    host.request(host.api)
    driver.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            driver.recv(1 << 20)
    (writer,) = loop.writers.values()  # type: ignore[attr-defined]
    loop.writers.clear()  # type: ignore[attr-defined]
    writer()
    assert ("api", 1, "") in ordered(driver)
