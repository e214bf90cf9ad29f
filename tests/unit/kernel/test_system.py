"""What the kernel shows, and to whom."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from unicorn_handover.kernel.system import System

from ...waiting import wait_until

LOOK = """
import sys
from unicorn_handover.kernel.system import System
system, pid, name = System(), int(sys.argv[1]), sys.argv[2]
print(len(system.sockets(pid, outlive_exec=True)), system.bytes_read(pid) is not None)
print(len(system.open_files(pid, name)), system.executable(pid) != "", system.is_socket(pid, 0))
print(open("/proc/thread-self/status").read().count("\\t0\\t0\\t0\\t0\\n"))
"""
WITHOUT_PTRACE = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")


@pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities to give away")
def test_root_without_ptrace_looks_as_the_owner_does(tmp_path: Path) -> None:
    """Open files of another user's process are seen, and the thread is root's again afterwards.

    Also by a Python that the other user may not read: nothing of it is loaded meanwhile.
    """
    path = tmp_path / "some-file"
    path.touch()
    with path.open() as file, socket.socket() as given:
        owned = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sleep", "60")
        sleeping = subprocess.Popen(owned, stdin=file, stdout=given)
        try:
            owner = Path(f"/proc/{sleeping.pid}")
            wait_until(lambda: owner.stat().st_uid == 65534, "it is another user's")
            words = [*WITHOUT_PTRACE, sys.executable, "-c", LOOK, str(sleeping.pid), "some-file"]
            seen = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
        finally:
            sleeping.kill()
            sleeping.wait()
    assert seen == "1 True\n1 True False\n2\n"


def test_a_process_that_is_gone_shows_nothing() -> None:
    """Nothing is an error: a process may end at any moment."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    system = System()
    assert system.hold(ended.pid) is None and system.stat(ended.pid) is None
    assert system.environ(ended.pid) == {} and system.executable(ended.pid) == ""
    assert system.open_files(ended.pid, "x") == [] and not system.is_socket(ended.pid, 0)
    assert system.children(ended.pid) == [] and system.command_line(ended.pid) == [""]


def test_what_is_denied_of_a_process_that_ends_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its /proc/PID/fd is root's by then; for one that lives the operator is told what to do."""

    def denied(path: str) -> list[str]:
        raise PermissionError(path)

    monkeypatch.setattr("unicorn_handover.kernel.procfs.os.listdir", denied)
    with pytest.raises(PermissionError, match="CAP_SYS_PTRACE"):
        System().open_files(os.getpid(), "some-file")
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        stat = System().stat(ended.pid)
        assert stat and stat.ended and System().open_files(ended.pid, "some-file") == []
