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
def web(folder: Path, request: pytest.FixtureRequest) -> Program:
    """An nginx; on a unix socket if the fixture's parameter says so."""
    return Nginx(folder, unix=getattr(request, "param", False))


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


@pytest.mark.parametrize("web", [True], indirect=True, ids=["unix"])
def test_a_unix_socket_keeps_its_name(host: ForegroundHost, web: Program) -> None:
    """Three in a row, of which the first master would unlink it; the last stop leaves none."""
    host.start()
    masters = {host.master("web")}
    with Load(web.address) as load:
        for release in ("v2", "v3", "v4"):
            web.write(release)
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            masters.add(host.wait_for_rest("web"))
            assert web.answers(release)
    assert load.failures == [] and len(masters) == 4
    host.shutdown()
    assert host.exit_status() == 0
    host.wait_for_nobody("web")


def test_a_broken_configuration(host: ForegroundHost, web: Program) -> None:
    """nginx's own message is the reason, and the next good configuration comes in."""
    host.start()
    old = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "wrong")
        refused = host.restart("web")
        assert host.wait_for_rest("web") == old
        web.write("v3")
        assert host.restart("web").ok
        assert host.wait_for_rest("web") != old
        wait_until(lambda: "v3" in load.releases(), "it has answered")
    assert load.failures == [] and load.releases() == {"v1", "v3"}
    assert not refused.ok
    assert 'unknown directive "no_such_directive"' in refused.text
