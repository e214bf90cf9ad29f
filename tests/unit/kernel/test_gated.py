"""A master that waits until its host has remembered it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from unicorn_handover.kernel.gate import Gate
from unicorn_handover.kernel.gated import start_gated
from unicorn_handover.kernel.spawn import CannotRun

from ...waiting import stays, wait_until


@pytest.fixture
def heard() -> Iterator[int]:
    """Where a handler's signals are written, as a host's are."""
    reader, writer = os.pipe2(os.O_NONBLOCK)
    handler = signal.signal(signal.SIGUSR1, lambda *_: None)
    before = signal.set_wakeup_fd(writer)
    yield reader
    signal.set_wakeup_fd(before)
    signal.signal(signal.SIGUSR1, handler)
    os.close(reader)
    os.close(writer)


def started(words: list[str], folder: Path, **environ: str) -> tuple[int, Gate]:
    """A command in a folder, at its gate."""
    return start_gated(words, {}, {**os.environ, **environ}, str(folder))


def test_it_waits(tmp_path: Path) -> None:
    """It leads a group of its own from the first moment on, and has what it was given."""
    with open(tmp_path / "given", "w") as given:
        numbers = {5: given.fileno(), 6: given.fileno()}
        script = "pwd -P >&5; cat; echo $COLOUR >&6; cut -d' ' -f5 /proc/$$/stat >&5"
        environ = {**os.environ, "COLOUR": "blue"}
        pid, gate = start_gated(["sh", "-c", script], numbers, environ, str(tmp_path))
    assert os.getpgid(pid) == pid
    stays(lambda: not (tmp_path / "given").read_text(), "it waits", 0.1)
    gate.open()
    gate.open()
    assert os.waitpid(pid, 0)[1] == 0
    lines = [str(tmp_path.resolve()), "blue", str(pid)]
    assert (tmp_path / "given").read_text().split() == lines


def test_its_host_dies(tmp_path: Path) -> None:
    """Then nothing is executed."""
    child = os.fork()
    if not child:
        pid, _ = started(["touch", "executed"], tmp_path)
        (tmp_path / "pid").write_text(str(pid))
        os._exit(0)
    os.waitpid(child, 0)
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"), "it has ended")
    assert not (tmp_path / "executed").exists()


def test_a_signal_meanwhile(tmp_path: Path, heard: int) -> None:
    """It is the child's, and not heard by the host; what Python ignores is not ignored there."""
    pid, gate = started(["sleep", "60"], tmp_path)
    os.kill(pid, signal.SIGUSR1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGUSR1
    gate.open()
    with pytest.raises(BlockingIOError):
        os.read(heard, 1)
    pid, gate = started(["sh", "-c", "kill -PIPE $$"], tmp_path)
    gate.open()
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGPIPE


@pytest.mark.parametrize(("command", "status"), [("no-such-command", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_run(tmp_path: Path, command: str, status: int) -> None:
    """Is told at once, with the exit status of a shell."""
    with pytest.raises(CannotRun) as caught:
        started([command], tmp_path)
    assert caught.value.status == status and command in str(caught.value)
    with pytest.raises(CannotRun, match="cannot run sh: .*/no: No such file"):
        started(["sh"], tmp_path / "no")


def test_what_is_no_program(tmp_path: Path) -> None:
    """Shows when it is executed, with the same exit status."""
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    pid, gate = started(["./script"], tmp_path)
    gate.open()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127


@pytest.mark.parametrize("call", ["pipe2", "fork"])
def test_nothing_left_to_start_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Is told as what cannot be run, so that it is tried again; no descriptor stays open."""

    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, call, refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(CannotRun, match="cannot run sh: Too many open files"):
        started(["sh"], tmp_path)
    assert os.listdir("/proc/self/fd") == before
