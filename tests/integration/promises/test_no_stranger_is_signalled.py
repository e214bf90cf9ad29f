"""Only a process of the program's own is sent a signal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost

# Says each signal that it gets.
STRANGER = """
import os, signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, lambda number, _: os.write(1, b"%d" % number))
os.write(1, b"ready\\n")
while True:
    time.sleep(60)
"""


def test_no_stranger_is_signalled(
    make_host: MakeHost, folder: Path, server: str, loads: str
) -> None:
    """A pid file that names a stranger brings that stranger no signal."""
    web = Program(folder, server=server, preload=loads == "preload", pidfile=server == "unicorn")
    # A gunicorn that finds a stranger in its pid file ends itself, so it has none here.
    host = make_host(web, options={"pidfile": str(web.pid_path)})
    host.start()
    with subprocess.Popen([sys.executable, "-c", STRANGER], stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout and stranger.stdout.readline() == b"ready\n"
        try:
            for release, kind in (("v2", "good"), ("v3", "raises"), ("v4", "good")):
                web.write(release, kind)
                # Until it has reaped a new master that failed, unicorn's pid file is that one's.
                mine = (host.master("web"), stranger.pid)
                wait_until(lambda m=mine: not web.pidfile or web.pid_in_file() in m, "it is reaped")
                Path(f"{web.pid_path}.oldbin").unlink(missing_ok=True)
                web.pid_path.write_text(f"{stranger.pid}\n")
                assert host.restart("web").ok == (kind == "good")
                host.wait_for_rest("web")
            assert stranger.poll() is None
        finally:
            stranger.kill()
        assert stranger.stdout.read() == b""
