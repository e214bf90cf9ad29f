"""A master that crashes is followed by the next one on the same sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ...kit.circus_host import CircusHost
from ...kit.load import Load
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import crash, when_held
from .cells import served_on

LISTENERS: dict[str, dict[str, Any]] = {"tcp": {}, "unix": {"unix": True}, "ipv6": {"ip": "::1"}}


@pytest.mark.parametrize(
    ("host_class", "server", "loads", "listener"),
    served_on(LISTENERS),
    indirect=["host_class"],
)
def test_a_crash_refuses_nothing(
    make_host: MakeHost, folder: Path, server: str, loads: str, listener: str
) -> None:
    """kill -9 of a master, of an adopted one and of one of a handover's two, under load."""
    web = Program(
        folder, server=server, preload=loads == "preload", restarted=True, **LISTENERS[listener]
    )
    host = make_host(web, options={"soak": "600"})
    if isinstance(host, CircusHost):  # which replaces at each check what dies so soon
        host.circus = "check_delay = 1"
    host.start()
    when_held(host)
    with Load(web.address) as load:
        crash(host)
        crash(host)  # maybe before a worker of that one was ready
        wait_until(lambda: host.at_rest("web"), "one family is left")
        web.write("v2")
        host.restart("web", wait=False)
        host.wait_for_phase("web", "soaking")
        crash(host)  # the old one: the new one is adopted
        crash(host)
        assert host.wait_for_rest("web") == web.ask().number("master")
    assert load.failures == [] and load.releases() == {"v1", "v2"}
