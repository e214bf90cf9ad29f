"""After anything at all one family is left, and it is supervised."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.processes import end, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import holding_exec, reach
from .cells import SERVED, in_turn, on_every_host

ON_EVERY_HOST = [
    *((*served, "booting", "new") for served in SERVED),
    ("unicorn", "lazy", "re-executing", "old"),
    ("unicorn", "lazy", "booting", "old"),
    ("unicorn", "lazy", "booting", "driver"),
    ("unicorn", "preload", "draining", "old"),
    ("unicorn", "lazy", "draining", "both"),
    ("gunicorn", "lazy", "draining", "old"),
]
IN_TURN = [
    ("unicorn", "lazy", "re-executing", "new"),
    ("unicorn", "lazy", "re-executing", "driver"),
    ("unicorn", "preload", "re-executing", "both"),
    ("unicorn", "lazy", "booting", "both"),
    ("unicorn", "lazy", "draining", "new"),
    ("unicorn", "preload", "draining", "driver"),
    ("gunicorn", "lazy", "re-executing", "old"),
    ("gunicorn", "preload", "booting", "old"),
    ("gunicorn", "lazy", "draining", "new"),
]


@pytest.mark.parametrize(
    ("host_class", "server", "loads", "phase", "victim"),
    [*on_every_host(ON_EVERY_HOST), *in_turn(IN_TURN)],
    indirect=["host_class"],
)
def test_one_family(
    make_host: MakeHost, folder: Path, server: str, loads: str, phase: str, victim: str
) -> None:
    """Whoever is killed in the middle of a handover, one supervised family is left."""
    # A gunicorn with a pid file ends itself if it looks at its killed master in the milliseconds
    # before the host has reaped that: then the one family is another.
    web = Program(
        folder,
        server=server,
        preload=loads == "preload",
        restarted=True,
        timeout=10,
        pidfile=server == "unicorn",
    )
    if phase == "re-executing":
        holding_exec(web)
    host = make_host(web)
    host.start()
    old = look(host.master("web"))
    before = {found.pid for found in host.family("web")}
    reach(host, phase)
    wait_until(lambda: len(host.family("web")) > len(before), "there is something new")
    new = [f for f in host.family("web") if f.pid not in before and f.ppid == old.pid]
    victims = {"old": [old], "new": new, "driver": [look(host.driver())], "both": [old, *new]}
    end(*victims[victim])
    web.open_gate()
    last = host.wait_for_rest("web")
    assert host.state("web") in ("running", "active") and web.answers()
    if victim == "driver":
        assert [(each["number"], each["phase"]) for each in host.ended("web")] == [(1, "done")]
    if victim == "driver" or (victim == "old" and phase != "re-executing"):
        assert last == new[0].pid
    if victim == "new" and phase != "draining":
        assert last == old.pid
    web.write("v3")
    outcome = host.restart("web")
    assert outcome.ok and web.answers("v3"), outcome.text
    host.wait_for_rest("web")
