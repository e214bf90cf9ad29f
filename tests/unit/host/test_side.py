"""What every host tells and publishes of its handovers."""

from __future__ import annotations

import pytest

from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost


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
    line = r"HostSide.changed failed: OSError: no\nway (host/test_side.py:"
    assert host.lines[-1].startswith(line)


def test_a_forgotten_program_s_handover_ends(host: FakeHost) -> None:
    """Nothing of it is left: no descriptor, no order."""
    host.request(host.web)
    host.forget("web", "the program was removed")
    host.forget("web", "again")
    assert host.web.handovers.ended[-1].reason == "the program was removed"
    assert list(host.programs) == ["api"] and host.kernel.open_handles == 1


def test_a_host_without_descriptors(host: FakeHost) -> None:
    """One line says so, and again only if there were some meanwhile."""
    lines = []
    for is_short in (True, True, False, True):
        host.kernel.is_short = is_short
        host.tick()
        lines.append(len([line for line in host.lines if "none of its 1024 descriptors" in line]))
    assert lines == [1, 1, 1, 2]
