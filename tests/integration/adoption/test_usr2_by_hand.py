"""USR2 by hand: the host follows, and a restart beside it is refused."""

from __future__ import annotations

import signal
from pathlib import Path

from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import PAIRS, MakeHost
from ..scenes import (
    hand_over,
    re_execute_by_hand,
)


@PAIRS
def test_usr2_by_hand_is_followed(make_host: MakeHost, folder: Path, server: str) -> None:
    """USR2, then the graceful signal, both by hand: the host goes over to the new master."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    old = host.master("web")
    web.write("v2")
    with Load(web.address) as load:
        new = re_execute_by_hand(host)
        assert host.master("web") == old and host.state("web") == "running"
        kill(look(old), getattr(signal, f"SIG{web.stopsignal}"))
        wait_until(lambda: host.master("web") == new, "the new master is adopted")
        assert host.wait_for_rest("web") == new
        last = hand_over(host, release="v3")
    assert last not in (old, new) and load.failures == []


def test_a_restart_beside_a_usr2_by_hand_is_refused(make_host: MakeHost, folder: Path) -> None:
    """While two masters run because of a USR2 by hand, restart refuses and names both."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    old = host.master("web")
    new = re_execute_by_hand(host)
    outcome = host.restart("web")
    assert not outcome.ok and f"pid {old} already has a new master, pid {new}" in outcome.text
    kill(look(new), signal.SIGQUIT)
    assert host.wait_for_rest("web") == old
    hand_over(host)
