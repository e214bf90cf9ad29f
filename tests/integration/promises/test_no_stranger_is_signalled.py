"""Only a process of the program's own is sent a signal."""

from __future__ import annotations

from pathlib import Path

from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..strangers import left_alone


def test_no_stranger_is_signalled(
    make_host: MakeHost, folder: Path, server: str, loads: str
) -> None:
    """A pid file that names a stranger brings that stranger no signal."""
    web = Program(folder, server=server, preload=loads == "preload", pidfile=server == "unicorn")
    # A gunicorn that finds a stranger in its pid file ends itself, so it has none here.
    host = make_host(web, options={"pidfile": str(web.pid_path)})
    host.start()
    with left_alone() as stranger:
        for release, kind in (("v2", "good"), ("v3", "raises"), ("v4", "good")):
            web.write(release, kind)
            # Until it has reaped a new master that failed, unicorn's pid file is that one's.
            mine = (host.master("web"), stranger.pid)
            wait_until(lambda m=mine: not web.pidfile or web.pid_in_file() in m, "it is reaped")
            Path(f"{web.pid_path}.oldbin").unlink(missing_ok=True)
            web.pid_path.write_text(f"{stranger.pid}\n")
            assert host.restart("web").ok == (kind == "good")
            host.wait_for_rest("web")
