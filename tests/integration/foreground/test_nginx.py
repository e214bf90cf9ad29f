"""nginx by itself: each new master is started by the runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.foreground_host import ForegroundHost
from ...kit.load import Load
from ...kit.nginx import Nginx
from ...kit.programs import Program
from ...waiting import wait_until


@pytest.fixture
def web(folder: Path) -> Program:
    """An nginx."""
    return Nginx(folder)


def test_a_restart_is_a_handover(host: ForegroundHost, web: Program) -> None:
    """Under load nothing fails; TTIN, which would stop an nginx, is not passed on."""
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2")
        outcome = host.restart("web")
        assert outcome.ok, outcome.text
        second = host.wait_for_rest("web")
        host.signal("web", "TTIN")
        wait_until(lambda: "SIGTTIN is not passed on" in host.host_log(), "it is told")
        assert web.answers("v2")
    assert load.failures == [] and second != first
    wait_until(lambda: web.pid_in_file() == second, "the pid file names it")
