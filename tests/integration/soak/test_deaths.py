"""Masters and drivers that die in the soak."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.processes import alive, children, kill, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import PAIRS, MakeHost
from ..scenes import reach, without_regular_looks
from .shared import LONG


@PAIRS
def test_new_master_dies_in_the_soak(make_host: MakeHost, folder: Path, server: str) -> None:
    """When the new master is killed in the soak, the old one serves again, with all its workers."""
    web = Program(folder, server=server, workers=3, timeout=10, preload=True)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    reach(host, "soaking")
    kill(host.new_master("web"))
    assert host.wait_for_rest("web") == first
    wait_until(lambda: web.pid_in_file() == first, "the pid file names the old master")
    assert "in the soak" in str(host.ended("web")[-1]["reason"])


@pytest.mark.parametrize(
    ("host_class", "phase"),
    [("supervisor", "soaking"), ("circus", "restoring"), ("supervisor", "draining")],
    indirect=["host_class"],
)
def test_driver_killed_in_the_soak(make_host: MakeHost, folder: Path, phase: str) -> None:
    """The driver may be killed in every phase of a soak: the next one ends it as it should end."""
    web = Program(folder, server="unicorn", preload=True)
    host = make_host(web, options={"soak": LONG})
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        reach(host, "soaking")
        if phase == "soaking":
            kill(look(host.driver()))
            wait_until(host.driver_is_there, "the next driver is there")
        end = host.rollback if phase == "restoring" else host.promote
        assert end("web").ok
        if phase != "soaking":
            kill(look(host.driver()))
        last = host.wait_for_rest("web")
    assert load.failures == [] and (last == first) == (phase == "restoring")


def test_new_master_and_driver_die_together(make_host: MakeHost, folder: Path) -> None:
    """When both die in the soak, the old workers answer as soon as another driver is there.

    That is before circusd would look at its processes by itself (`check_delay`).
    """
    web = Program(folder, server="unicorn", preload=True)  # keeps what was on the disk
    host = make_host(web, options={"soak": LONG})
    without_regular_looks(host)
    host.start()
    first = host.master("web")
    reach(host, "soaking")
    wait_until(lambda: not host.workers("web"), "the old workers have gone")
    new, driver = host.new_master("web"), look(host.driver())
    workers = children(new.pid)
    kill(driver)
    kill(new)
    wait_until(lambda: web.ask().release == "v1", "the old workers answer")
    wait_until(lambda: not any(map(alive, workers)), "the new workers have gone")
    assert host.wait_for_rest("web") == first and web.ask().release == "v1"
