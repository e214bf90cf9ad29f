"""What the caller of a restart is told, and when."""

from __future__ import annotations

from unicorn_handover.host.handovers import KEPT
from unicorn_handover.host.request import ACCEPTING, Request
from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost


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
        "the host was reloaded, and does not know it any more"
    )
    assert Request(host, host.web, 0).has_ended and host.web.handovers.running is None
    for _ in range(KEPT + 1):
        host.request(host.web)
        host.drive(Phase.DONE)
    assert (
        Request(host, host.web, 1).reason == "it ended long ago, and its outcome is no longer kept"
    )
    assert Request(host, host.web, 2).reason == ""
