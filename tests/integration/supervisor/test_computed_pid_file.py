"""A pid file whose path only Ruby or Python knows, when supervisord starts the new master."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.programs import Program
from ...kit.supervisor_host import SupervisorHost
from ...waiting import wait_until
from ..conftest import MakeHost

COMPUTED = {
    "unicorn": 'pid File.join({folder!r}, "computed.pid")\n',
    "gunicorn": 'import os\npidfile = os.path.join({folder!r}, "computed.pid")\n',
}


@pytest.mark.parametrize("server", COMPUTED)
def test_a_computed_pid_file_is_learned(
    make_supervisor: MakeHost, folder: Path, server: str
) -> None:
    """Under load nothing fails; the next update knows it already.

    A unicorn's first new master refuses before it serves. A gunicorn's would cut what its workers
    have accepted by then, so a python has been asked before.
    """
    settings = COMPUTED[server].format(folder=str(folder))
    web = Program(folder, server=server, preload=True, pidfile=False, settings=settings)
    host = make_supervisor(web)
    assert isinstance(host, SupervisorHost)
    host.start()
    first, masters = host.master("web"), []
    with Load(web.address, "/sleep/0.05", clients=6) as load:
        for release in ("v2", "v3"):
            web.write(release)
            web.host_options["environment"] = f'COLOUR="{release}"'
            host.write_conf()
            outcome = host.ctl("update")
            assert outcome.ok, outcome.text
            masters.append(host.wait_for_rest("web"))
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3"}
    assert len({first, *masters}) == 3
    path = folder / "computed.pid"
    wait_until(lambda: path.read_text().strip() == str(masters[-1]), "the pid file names it")
    assert not path.with_name("computed.pid.oldbin").exists()
    refusals = host.host_log().count(f"found its pid file taken, {path};")
    assert refusals == {"unicorn": 1, "gunicorn": 0}[server]
