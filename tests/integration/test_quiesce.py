"""Who serves in a soak on a real unicorn, and what the way back brings back."""

from __future__ import annotations

from pathlib import Path

from ..kit.load import Load
from ..kit.programs import Program
from .conftest import MakeHost
from .scenes import hand_over, reach

LONG = {"soak": "3600"}


def test_the_way_back_is_the_old_code(make_supervisor: MakeHost, folder: Path) -> None:
    """Without preload old workers would load what is on the disk by now; so they serve on."""
    web = Program(folder)
    host = make_supervisor(web, options=LONG)
    host.start()
    before = {worker.pid for worker in host.workers("web")}
    reach(host, "soaking")
    assert "is not known to have its application" in host.status("web")["running"]["both_serve"]
    assert "soaking" in host.host_log() and "both releases serve: pid" in host.host_log()
    with Load(web.address) as load:
        assert host.rollback("web").ok
        host.wait_for_rest("web")
    assert {worker.pid for worker in host.workers("web")} == before and web.ask().release == "v1"
    assert load.failures == [] and load.releases() <= {"v1", "v2"}


def test_a_master_that_preloads_is_known_by_its_workers(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """Though its configuration cannot be read by anybody but ruby, and was exchanged since."""
    web = Program(folder, preload=True, settings="preload_app 'true' == 'true'")
    web.write("v1")
    host = make_supervisor(web, options={"soak": "0.1"})
    host.start()
    for release in ("v2", "v3"):
        hand_over(host, release=release)
    assert "both releases serve" not in host.host_log() and ": soaking " in host.host_log()
