"""`unicorn-handover status`, `restart`, `rollback` and `promote`, and whom the socket lets in."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess

import pytest

from unicorn_handover.errors import Refused
from unicorn_handover.host.command_socket import ask

from ...kit.foreground_host import COMMAND, ForegroundHost
from ...kit.programs import Program
from ...waiting import wait_until

NOBODY = 65534


def test_restart(host: ForegroundHost, web: Program) -> None:
    """It returns at once; with `--wait`, at the end, in the words of supervisorctl."""
    host.start()
    first = host.restart(wait=False)
    assert first == ("web: started (handover 1 is under way)\n", 0, first.seconds)
    old = host.wait_for_rest("web")
    waited = host.restart()
    assert waited.ok
    new = host.wait_for_rest("web")
    assert waited.text.splitlines()[0] == "web: requested"
    assert waited.text.splitlines()[-1].startswith(f"web: started (pid {old} -> {new} in ")


def test_a_broken_release(host: ForegroundHost, web: Program) -> None:
    """Its reason is the last thing said, with what the program wrote if that is in a file."""
    host.start()
    web.write("v2", "raises")
    outcome = host.restart()
    assert not outcome.ok
    assert "\nweb: ERROR (the new master's workers keep dying" in outcome.text
    assert "release v2 is broken" in outcome.text
    assert web.answers("v1")


def test_status(host: ForegroundHost, web: Program) -> None:
    """A line for people, and all of it for scripts."""
    host.start()
    line = host.command("status")
    assert line.ok
    assert line.text.split() == ["web", "idle,", "pid", str(host.master("web"))]
    told = json.loads(host.command("status", "--json").text)
    assert (told["name"], told["runner"], told["phase"]) == ("web", host.pid(), "idle")


@pytest.mark.parametrize(("command", "words"), [("rollback", "roll back"), ("promote", "promote")])
def test_steering(host: ForegroundHost, web: Program, command: str, words: str) -> None:
    """A soak is rolled back or ended by command; without one there is nothing to do."""
    host.options["soak"] = "60"
    host.start()
    old = host.master("web")
    assert f"so there is nothing to {words}" in host.command(command).text
    web.write("v2")
    host.restart(wait=False)
    host.wait_for_phase("web", "soaking")
    assert host.command(command).ok
    assert (host.wait_for_rest("web") == old) == (command == "rollback")
    assert web.answers("v1" if command == "rollback" else "v2")


def test_a_second_runner(host: ForegroundHost, web: Program) -> None:
    """It is refused while the first one lives, in one line."""
    host.start()
    second = subprocess.run(host.command_line, capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "another process holds" in second.stderr
    assert host.command("status").ok


def test_a_stale_socket(host: ForegroundHost, web: Program) -> None:
    """What a dead runner has left is replaced; the socket is its user's alone, and goes with it."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(host.control)
    host.start()
    found = os.stat(host.control)
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    host.shutdown()
    assert not [name for name in os.listdir(host.folder) if name.startswith("ctl")]


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_another_user(host: ForegroundHost, web: Program) -> None:
    """May not speak to it."""
    host.start()
    host.folder.chmod(0o755)
    child = os.fork()
    if not child:  # this Python's files may be closed to others, so another one cannot be started
        os.setuid(NOBODY)
        with contextlib.suppress(Refused):
            os._exit(1 if list(ask(host.control, {"do": "status"})) else 2)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_nonsense(host: ForegroundHost, web: Program) -> None:
    """Is not answered, and harms nothing."""
    host.start()
    for packet in (b"?", b"[]", b'{"do": "fly"}', b'{"do": "restart"}'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(host.control)
            connection.send(packet)
            assert not connection.recv(100)
    assert host.command("status").ok


def test_who_waits_may_go(host: ForegroundHost, web: Program) -> None:
    """Ctrl-C ends the watching, not the handover."""
    host.start()
    web.write("v2", "gated")
    words = [COMMAND, "restart", "--wait", "--control", host.control]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as waiting:
        wait_until(lambda: web.began_to_load("v2"), "the release is read")
        waiting.send_signal(signal.SIGINT)
        assert waiting.stdout
        assert "handover 1 is not watched any more" in waiting.stdout.read()
    assert waiting.returncode == 1
    web.open_gate()
    wait_until(lambda: web.answers("v2"), "v2 answers")
    host.wait_for_rest("web")
