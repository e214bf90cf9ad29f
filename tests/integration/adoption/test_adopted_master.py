"""An adopted master is the host's as if the host had started it."""

from __future__ import annotations

from pathlib import Path

from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import Later, wait_until
from ..conftest import PAIRS, MakeHost
from ..scenes import (
    hand_over,
    held_request,
)


def test_signals_reach_an_adopted_master(make_host: MakeHost, folder: Path) -> None:
    """HUP, USR1, TTIN, TTOU and WINCH do on the new master what they did on the first."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    master = hand_over(host)
    for number, workers in (("TTIN", 3), ("TTOU", 2), ("WINCH", 0)):
        assert host.signal("web", number).ok
        wait_until(lambda n=workers: len(host.workers("web")) == n, f"{number}: {workers} workers")
    web.write("v3")
    assert host.signal("web", "HUP").ok
    wait_until(lambda: web.answers("v3"), "the release is loaded anew")
    assert host.signal("web", "USR1").ok
    wait_until(lambda: "reopening logs" in host.log("web"), "USR1 reopened the logs")
    assert host.wait_for_rest("web") == master


@PAIRS
def test_output_is_captured_from_an_adopted_master(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """What the new workers print, on both streams, reaches the host's logs."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    for release in ("v2", "v3"):
        hand_over(host, release=release)
        assert web.ask(f"/print/said-by-{release}").outcome == "ok"
        wait_until(lambda r=release: f"\nerr-said-by-{r}" in host.log("web"), "stderr captured")
        wait_until(lambda r=release: host.log("web").count(f"said-by-{r}") == 2, "stdout captured")


@PAIRS
def test_an_adopted_master_that_crashes_is_started_again(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """Killed after its adoption, the program is started again at once."""
    web = Program(folder, server=server, restarted=True, timeout=10)
    host = make_host(web)
    host.start()
    adopted = hand_over(host)
    kill(look(adopted))
    wait_until(lambda: host.master("web") not in (0, adopted), "another master runs")
    host.wait_for_rest("web")
    assert web.answers("v2")
    hand_over(host, release="v3")


@PAIRS
def test_an_adopted_master_is_stopped_and_started(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """stop ends the new master and all it has, gracefully; start begins anew."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    hand_over(host)
    request = held_request(web)
    with Later(lambda: host.stop("web")) as stopped:
        wait_until(lambda: host.state("web") == "stopping", "it is told to stop")
        web.open_gate()
    assert stopped.result().ok and request.answer().outcome == "ok"
    assert host.state("web") == "stopped" and host.family("web") == []
    assert host.begin("web").ok
    wait_until(lambda: web.answers("v2"), "it serves again")
    hand_over(host, release="v3")


@PAIRS
def test_shutdown_ends_an_adopted_master(make_host: MakeHost, folder: Path, server: str) -> None:
    """When the host shuts down nothing of an adopted family is left."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    hand_over(host)
    host.shutdown()
    host.wait_for_nobody("web")
