"""The driver as a process of its own, for any host."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from unicorn_handover.kernel.spawn import spawn
from unicorn_handover.kernel.system import System
from unicorn_handover.model.orders import CHANNEL_FD

from ...waiting import wait_until


def test_without_a_host() -> None:
    """It says in one line what it lacks: a host starts it, with a socket."""
    words = [sys.executable, "-m", "unicorn_handover.driver"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is started by a host" in done.stderr


def test_many_workers_can_be_held() -> None:
    """Those of all programs that are restarted at once, whatever soft limit the host has."""
    command = f"ulimit -Sn 64; exec {shlex.quote(sys.executable)} -m unicorn_handover.driver"
    host, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    host.settimeout(30)
    with host:
        with far:
            pid = spawn(["sh", "-c", command], {CHANNEL_FD: far.fileno()})
        held = System().hold(pid)
        assert held and b"driver" in host.recv(1 << 20)
        limits = Path(f"/proc/{pid}/limits").read_text()
    wait_until(lambda: not held.alive(), "the driver has ended with its host")
    os.waitpid(pid, 0)
    held.close()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft, hard = line.split()[3:5]
    assert soft == hard != "64"
