"""What a driver finds out for a host that starts masters itself, and what it cannot know."""

from __future__ import annotations

import pytest

from unicorn_handover.model.phases import Phase
from unicorn_handover.servers import SERVERS, Configured

from ..fake_listener import Made
from .spawn_history import SpawnHistory


def test_the_driver_finds_the_listeners_that_the_host_copies() -> None:
    """The old master's for the start, the new one's to be held; none where it may not see them."""
    history = SpawnHistory()
    history.system.listening[history.old.pid] = [Made(5), Made(7)]
    record = history.run()
    assert record.listening == (5, 7) and record.new_listening == ()
    denied = SpawnHistory()
    denied.system.denied = "no"
    record = denied.run()
    assert record.succeeded and record.listening == record.new_listening == ()


@pytest.mark.parametrize(("pidfile", "waits"), [("", True), ("/run/web.pid", False)])
def test_one_that_may_still_find_its_pid_file_taken_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, pidfile: str, waits: bool
) -> None:
    """The old master hears nothing before the new one must have promoted itself."""
    server = SERVERS["unicorn"]
    monkeypatch.setattr(server, "promotes_itself", 1.5)
    monkeypatch.setattr(server, "configured", lambda *_: Configured("/", True, None))
    history = SpawnHistory(pidfile=pidfile, boot_timeout=10.0)
    history.at_phase[Phase.DRAINING] = lambda: history.system.files.update(
        {"/run/web.pid": f"{history.spawned[0].pid}\n"}
    )
    assert history.run().succeeded
    since = {report.phase: report.since for report in history.reports}
    assert (since[Phase.DRAINING] - since[Phase.BOOTING] >= 1.5) is waits
