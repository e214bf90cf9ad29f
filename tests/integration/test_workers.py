"""Who is a worker, and which worker is ready, whatever the application does besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..kit.host import Host
from ..kit.load import Load
from ..kit.programs import OTHER_GUNICORNS, Program, gunicorn
from ..waiting import Later, stays, wait_until
from .conftest import MakeHost
from .scenes import hand_over

# A short process for each worker, and none that waits for it.
HOOK_FORKS = {
    "unicorn": """\
before_fork { |server, worker| Process.detach(fork { sleep 0.3; exit! }) }
""",
    "gunicorn": """\
def pre_fork(server, worker):
    import os, time
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
""",
}
RECYCLES = "max_requests = 20\nmax_requests_jitter = 10"


@pytest.mark.parametrize("preload", [False, True], ids=["lazy", "preload"])
def test_an_app_that_traps_every_signal_is_judged_right(
    make_supervisor: MakeHost, folder: Path, server: str, preload: bool
) -> None:
    """Raising and hanging releases are backed out, a slow one takes over, and not too early."""
    web = Program(folder, server=server, preload=preload)
    host = make_supervisor(web, options={"boot_timeout": "5"})
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        for kind in ("raises", "hangs"):
            web.write("v2", "traps", kind)
            assert not host.restart("web").ok and host.wait_for_rest("web") == first
        web.write("v3", "traps", "gated")
        with Later(lambda: host.restart("web")) as restart:
            wait_until(lambda: web.began_to_load("v3"), "the release is read")
            host.wait_for_phase("web", "booting")
            stays(lambda: host.phase("web") == "booting", "it is not ready")
            web.open_gate()
        assert restart.result().ok and host.wait_for_rest("web") != first
    assert load.failures == [] and web.answers("v3")


def test_processes_that_are_no_workers(
    make_supervisor: MakeHost, folder: Path, server: str
) -> None:
    """A helper of the master and short children of hooks are neither workers nor the re-exec."""
    web = Program(folder, server=server, preload=True, workers=3, settings=HOOK_FORKS[server])
    host = make_supervisor(web, options={"soak": "1"})
    web.write("v1", "helper")
    host.launch()
    wait_until(web.answers, "it answers")
    with Load(web.address) as load:
        for release, kinds in (("v2", ["helper"]), ("v3", ["raises"]), ("v4", ["helper"])):
            web.write(release, *kinds)
            outcome = host.restart("web")
            assert outcome.ok == ("helper" in kinds), outcome.text
            assert kinds == ["raises"] or _ended(host) == (3, 3)
    assert load.failures == [] and web.answers("v4")


def _ended(host: Host) -> tuple[object, object]:
    last = host.ended("web")[-1]
    return last["ready"], last["total"]


def test_workers_that_recycle_themselves(make_supervisor: MakeHost, folder: Path) -> None:
    """Each ends well after some requests, time and again, and the release is good all the same."""
    web = Program(folder, server="gunicorn", settings=RECYCLES)
    host = make_supervisor(web, options={"soak": "4"})
    host.start()
    with Load(web.address) as load:
        web.write("v2")
        outcome = host.restart("web")
        assert outcome.ok, outcome.text
        workers = {answer.number("worker") for answer in load.answers if answer.release == "v2"}
    assert len(workers) > web.workers + 3


@pytest.mark.parametrize("version", OTHER_GUNICORNS)
def test_other_gunicorns(make_supervisor: MakeHost, folder: Path, version: str) -> None:
    """The oldest that is supported, and one between that and the newest, which all else runs on."""
    web = Program(folder, server="gunicorn")
    web.command = f"{gunicorn(version)} -c {web.conf} app:application"
    host = make_supervisor(web)
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host)}
        web.write("v3", "raises")
        assert not host.restart("web").ok
        masters |= {host.wait_for_rest("web"), hand_over(host, release="v4")}
    assert len(masters) == 3 and load.failures == []


def test_workers_that_crash_in_the_soak(make_supervisor: MakeHost, folder: Path) -> None:
    """They were ready, and each request kills one: that is a crash loop."""
    web = Program(folder, preload=True)
    host = make_supervisor(web, options={"soak": "3600"})
    host.start()
    first = host.master("web")
    web.write("v2")
    with Later(lambda: host.restart("web")) as restart:
        host.wait_for_phase("web", "soaking")
        wait_until(lambda: not host.workers("web"), "the old workers have gone")
        while host.phase("web") == "soaking":
            web.ask("/crash")
    outcome = restart.result()
    assert not outcome.ok and "keep dying" in outcome.text
    assert host.wait_for_rest("web") == first and web.answers("v1")
