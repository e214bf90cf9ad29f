"""`sv restart`, with the `control/t` of the examples, which makes it a handover."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ...kit.foreground_host import RunsvHost
from ...kit.host import Outcome
from ...kit.load import Load
from ...kit.programs import UNICORN, Program
from ...waiting import wait_until
from ..scenes import reach
from .conftest import both

CONTROL = Path(__file__).parents[3] / "examples/runit/control/t"


@pytest.fixture
def service(runsv: RunsvHost) -> RunsvHost:
    """A service with that script."""
    (runsv.service / "control").mkdir(parents=True)
    shutil.copy(CONTROL, runsv.service / "control/t")
    runsv.was_killed = True
    return runsv


def restart(service: RunsvHost) -> Outcome:
    """`sv restart`, which must come back at once, with another runner."""
    # sv takes a runner that was started in the second of its own start for the next one.
    wait_until(lambda: not service.sv("status").text.rstrip().endswith(" 0s"), "a second is over")
    runner = service.pid()
    outcome = service.sv("-w", "5", "restart")
    assert outcome.ok and outcome.text.startswith("ok: run: "), outcome.text
    assert service.pid() != runner
    return outcome


@both
def test_three_in_a_row_and_down(service: RunsvHost, web: Program) -> None:
    """No request is lost; the next runner hands over; a stop is a stop."""
    service.start()
    masters = {service.master("web")}
    with Load(web.address) as load:
        for release in ("v2", "v3", "v4"):
            web.write(release)
            restart(service)
            wait_until(lambda r=release: web.answers(r), f"{release} answers")
            masters.add(service.wait_for_rest("web"))
    assert load.failures == [] and len(masters) == 4
    assert [ended["method"] for ended in service.ended("web")] == ["usr2"] * 3
    assert service.sv("-w", "20", "down").ok
    service.wait_for_nobody("web")


def test_during_a_handover(service: RunsvHost, web: Program) -> None:
    """That goes on under the next runner, and another one follows."""
    service.start()
    with Load(web.address) as load:
        reach(service, "booting")
        restart(service)
        wait_until(service.driver_is_there, "the next runner's driver is there")
        assert service.following("web") == 2
        web.open_gate()
        wait_until(lambda: len(service.ended("web")) == 2, "both have ended")
        service.wait_for_rest("web")
    assert load.failures == []
    assert [ended["phase"] for ended in service.ended("web")] == ["done", "done"]


def test_a_changed_run(service: RunsvHost, web: Program) -> None:
    """It comes into force: the next runner starts the new master itself, and the one after that
    has nothing to renew.
    """
    service.start()
    with Load(web.address) as load:
        web.write("v2")
        (web.folder / "unicorn").symlink_to(UNICORN)
        web.command = web.command_line.replace(UNICORN, f"{web.folder}/unicorn")
        service.before_exec = "export COLOUR=blue; ulimit -n 512"
        service.write_service()
        restart(service)
        wait_until(lambda: web.answers("v2"), "v2 answers")
        master = service.wait_for_rest("web")
    assert load.failures == []
    (ended,) = service.ended("web")
    assert ended["method"] == "spawn"
    assert ended["why"] == "the runner's command, environment, limits changed"
    assert "Max open files            512" in Path(f"/proc/{master}/limits").read_text()
    assert os.fsencode(f"{web.folder}/unicorn") in Path(f"/proc/{master}/cmdline").read_bytes()
    restart(service)
    wait_until(lambda: len(service.ended("web")) == 2, "another one has ended")
    assert service.ended("web")[-1]["method"] == "usr2"


def test_a_broken_run(service: RunsvHost, web: Program) -> None:
    """The old master serves on, and the log says why; a mended one comes into force."""
    service.start()
    old, good = service.master("web"), web.command_line
    with Load(web.address) as load:
        web.command = f"{good} --no-such-option"
        service.write_service()
        restart(service)
        wait_until(lambda: "handover 1 of web: failed" in service.host_log(), "it is told")
        assert service.wait_for_rest("web") == old
        web.command = good
        web.write("v2")
        service.write_service()
        restart(service)
        wait_until(lambda: web.answers("v2"), "v2 answers")
        service.wait_for_rest("web")
    assert load.failures == []
    assert load.releases() == {"v1", "v2"}
