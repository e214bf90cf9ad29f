"""A handover as an event of Supervisor's."""

from __future__ import annotations

import pytest
from supervisor import childutils

from supervisor_unicorn.events import HandoverEvent
from unicorn_handover.model.phases import Phase

from ..test_progress import RUNNING


@pytest.mark.parametrize(
    ("program", "group", "name"), [("web", "web", "web"), ("site:web", "site", "web")]
)
def test_handover_events_are_read_as_supervisor_s_own(program: str, group: str, name: str) -> None:
    """An event listener that uses childutils understands them, whatever group the program is in."""
    failed = RUNNING.but(program=program, phase=Phase.FAILED, reason="why: so")
    headers, data = childutils.eventdata(HandoverEvent(failed).payload())
    assert headers == {
        "processname": name,
        "groupname": group,
        "number": "3",
        "phase": "failed",
        "old_pid": "10",
        "new_pid": "0",
    }
    assert data == "why: so"
