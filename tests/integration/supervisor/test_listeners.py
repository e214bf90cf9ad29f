"""Other event listeners hear of handovers."""

from __future__ import annotations

import re
from pathlib import Path

from ...kit.programs import BIN, Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import hand_over


def test_other_listeners_hear_of_handovers(make_supervisor: MakeHost, folder: Path) -> None:
    """Any event listener may subscribe to UNICORN_HANDOVER, and is sent every phase."""
    script = folder / "listener.py"
    script.write_text(LISTENER)
    web = Program(folder)
    host = make_supervisor(web)
    host.more = (
        f"\n[eventlistener:ear]\ncommand = {BIN}/python {script} {folder}/heard\n"
        "events = UNICORN_HANDOVER\nbuffer_size = 100\n"
    )
    host.start()
    wait_until(lambda: host.state("ear") == "running", "the listener is there")
    old = host.master("web")
    new = hand_over(host)
    heard = folder / "heard"
    wait_until(lambda: "phase:done" in heard.read_text(), "the end is heard")
    lines = heard.read_text().splitlines()
    phases = list(dict.fromkeys(re.findall(r"phase:(\S+)", "\n".join(lines))))
    assert phases == ["requested", "checking", "re-executing", "booting", "draining", "done"]
    assert lines[-1].startswith(
        f"processname:web groupname:web number:1 phase:done old_pid:{old} new_pid:{new}"
    )


LISTENER = """\
import sys
with open(sys.argv[1], "a") as heard:
    while True:
        print("READY", flush=True)
        header = dict(word.split(":") for word in sys.stdin.readline().split())
        heard.write(sys.stdin.read(int(header["len"])).splitlines()[0] + "\\n")
        heard.flush()
        print("RESULT 2\\nOK", end="", flush=True)
"""
