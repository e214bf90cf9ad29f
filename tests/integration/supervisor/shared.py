"""What the tests on Supervisor share."""

from __future__ import annotations

import subprocess

from ...kit.programs import BIN

PLAIN = "\n[program:plain]\ncommand = sleep 3600\nstartsecs = 0\n"


def echo_conf(*names: str) -> str:
    """What `supervisor_unicorn --echo-conf` prints."""
    return subprocess.run(
        [f"{BIN}/supervisor_unicorn", "--echo-conf", *names],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
