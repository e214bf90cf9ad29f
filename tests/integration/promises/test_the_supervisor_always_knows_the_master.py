"""At every moment status names one living master."""

from __future__ import annotations

from pathlib import Path

from ...kit.host import Host
from ...kit.processes import look
from ...kit.programs import Program
from ...waiting import Watch
from ..conftest import MakeHost


def test_the_supervisor_always_knows_the_master(
    make_host: MakeHost, folder: Path, server: str, loads: str
) -> None:
    """Throughout handovers, good and bad, status names a living master that was one before."""
    web = Program(folder, server=server, preload=loads == "preload")
    host = make_host(web)
    host.start()
    lies: list[object] = []
    with Watch(lambda: _known(host, "web", lies)):
        for release, kind in (("v2", "good"), ("v3", "raises"), ("v4", "good")):
            web.write(release, kind)
            assert host.restart("web").ok == (kind == "good")
    assert lies == []
    assert host.wait_for_rest("web") == web.ask().number("master")


def _known(host: Host, name: str, lies: list[object]) -> None:
    state, pid = host.state(name), host.master(name)
    found = look(pid)
    # A pid that was read may end before it is looked at; then status names another one by now.
    if state != "running" or ((not found or found.forked) and host.master(name) == pid):
        lies.append((state, pid, found))
