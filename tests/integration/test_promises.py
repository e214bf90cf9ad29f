"""The promises of the README, each by its name, on every host and server."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import MakeHost
from .load import Load, Request
from .programs import Program


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("preload", [False, True], ids=["lazy", "preload"])
def test_no_request_is_lost(
    make_host: MakeHost, folder: Path, server: str, preload: bool, unix: bool
) -> None:
    """Three handovers in a row under load fail no request, and a long one in flight completes."""
    web = Program(folder, server=server, preload=preload, unix=unix, workers=3)
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        long = Request(web.address, "/sleep/5")
        masters = [first]
        for release in ("v2", "v3", "v4"):
            web.write(release)
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            masters.append(host.wait_for_rest("web"))
            assert web.ask().release == release
        assert long.answer().outcome == "ok" and long.answer().number("master") == first
    assert len(set(masters)) == 4
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3", "v4"}
