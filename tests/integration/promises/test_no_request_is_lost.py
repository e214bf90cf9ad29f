"""A restart refuses, resets and cuts nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.programs import Program
from ...waiting import Later
from ..conftest import MakeHost
from ..scenes import held_request
from .cells import served_on

# Each server is on both kinds of sockets on each host, and with each way to load.
LISTENERS = ["tcp", "unix", "unix", "tcp", "unix", "tcp", "tcp", "unix"]


@pytest.mark.parametrize(
    ("host_class", "server", "loads", "listener"),
    served_on(LISTENERS),
    indirect=["host_class"],
)
def test_no_request_is_lost(
    make_host: MakeHost, folder: Path, server: str, loads: str, listener: str
) -> None:
    """Three handovers in a row under load fail no request, and a long one in flight completes."""
    web = Program(
        folder, server=server, preload=loads == "preload", unix=listener == "unix", workers=3
    )
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        long = held_request(web)
        masters = [first]
        for release in ("v2", "v3", "v4"):
            web.write(release)
            with Later(partial(host.restart, "web")) as restart:
                if release == "v2":  # whose old master waits for the long request
                    host.wait_for_phase("web", "draining")
                    web.open_gate()
            outcome = restart.result()
            assert outcome.ok, outcome.text
            masters.append(host.wait_for_rest("web"))
            assert web.ask().release == release
        assert long.answer().outcome == "ok" and long.answer().number("master") == first
    assert len(set(masters)) == 4
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3", "v4"}
