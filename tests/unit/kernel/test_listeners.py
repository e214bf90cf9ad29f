"""Copies of another process's listening sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unicorn_handover.kernel import getfd
from unicorn_handover.kernel.listeners import Listener
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.system import System

from ...waiting import wait_until

SERVER = """
import ctypes, socket, sys, time
listening = socket.create_server(("127.0.0.1", 0), backlog=77)
listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
listening.set_inheritable(True)
"""
TOLD = "print(listening.fileno(), listening.getsockname()[1], flush=True)\n"
WAIT = "time.sleep(60)\n"
ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities to give away")
WITHOUT_PTRACE = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@contextlib.contextmanager
def running(program: str, *prefix: str) -> Iterator[tuple[Process, list[str]]]:
    """Run a program until it has printed a line; yield it and that line's words."""
    words = [*prefix, sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        try:
            told = child.stdout.readline().split()
            held = System().hold(child.pid)
            assert told and held
            yield held, told
            held.close()
        finally:
            child.kill()


@contextlib.contextmanager
def copied(owner: Process) -> Iterator[list[Listener]]:
    """The copies, closed in the end."""
    found = System().listeners(owner)
    try:
        yield found
    finally:
        for listener in found:
            listener.close()


def test_a_copy_serves_what_connects_to_its_owner() -> None:
    """The copy is the same socket, with what its owner set, and is closed by an exec here."""
    with running(SERVER + TOLD + WAIT) as (owner, told), copied(owner) as (listener,):
        assert listener.number == int(told[0]) and listener.name == f"127.0.0.1:{told[1]}"
        assert (listener.backlog, listener.path, listener.close_on_exec) == (77, "", False)
        assert (listener.keep_alive, listener.reuse_port) == (True, False)
        assert not listener.socket.get_inheritable()
        with socket.create_connection(listener.socket.getsockname()):
            accepted, _ = listener.socket.accept()
            accepted.close()


def test_known_numbers_save_the_search() -> None:
    """As long as they listen; else the search finds what does by now."""
    more = "other = socket.create_server(('127.0.0.1', 0))\n"
    with running(SERVER + more + TOLD + WAIT) as (owner, told), copied(owner) as both:
        one, other = (each.number for each in both)
        for numbers, expected in (([one], [one]), ([one, other + 1], [one, other])):
            found = System().listeners(owner, numbers)
            assert [each.number for each in found] == expected and int(told[0]) == one
            for each in found:
                each.close()


def test_other_sockets_are_left_alone(tmp_path: Path) -> None:
    """Datagram sockets, connections, files and sockets that are only bound are no listeners."""
    others = f"""
bound = socket.socket(); bound.bind(("127.0.0.1", 0))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connection = socket.create_connection(listening.getsockname())
named, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
named.bind({str(tmp_path / "web.sock")!r}); named.listen(9)
abstract.bind("\\0" + {tmp_path.name!r}); abstract.listen()
six = socket.create_server(("::1", 0), family=socket.AF_INET6)
packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); packets.bind(""); packets.listen()
"""
    with running(SERVER + others + TOLD + WAIT) as (owner, _), copied(owner) as found:
        names = sorted(listener.name for listener in found)
        paths = [listener.path for listener in found if listener.path]
        backlogs = [listener.backlog for listener in found if listener.path]
        assert len(found) == 4 and backlogs == [9] and paths == [str(tmp_path / "web.sock")]
        assert names[0].startswith("127.0.0.1:") and names[1].startswith("[::1]:")
        assert names[2:] == [f"unix:{tmp_path}/web.sock", f"unix:@{tmp_path.name}"]


def test_a_socket_that_is_open_twice_is_copied_once() -> None:
    """Under the number that outlives an exec, for that is what servers go by."""
    twice = (
        "listening.set_inheritable(False)\nother = listening.dup()\nother.set_inheritable(True)\n"
    )
    told = "print(other.fileno(), flush=True)\n"
    with running(SERVER + twice + told + WAIT) as (owner, told_), copied(owner) as (listener,):
        assert (listener.number, listener.close_on_exec) == (int(told_[0]), False)


def test_copying_changes_nothing_for_the_owner() -> None:
    """A default timeout of this process does not make the owner's sockets non-blocking."""
    ask = "sys.stdin.readline()\nimport fcntl, os\n"
    flag = "print(fcntl.fcntl(c.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK, flush=True)\n"
    connection = "c = socket.create_connection(listening.getsockname())\n"
    program = SERVER + connection + TOLD + ask + flag + WAIT
    words = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, **pipes) as child:  # type: ignore[call-overload]
        child.stdout.readline()
        owner = System().hold(child.pid)
        assert owner
        try:
            socket.setdefaulttimeout(5)
            with copied(owner):
                child.stdin.write("\n")
                child.stdin.flush()
                assert child.stdout.readline() == "0\n"
        finally:
            socket.setdefaulttimeout(None)
            child.kill()
            owner.close()


def test_an_owner_that_is_gone_has_none() -> None:
    """It may end at any moment, and that is no error."""
    with running(SERVER + TOLD + WAIT) as (owner, _):
        owner.signal(signal.SIGKILL)
        wait_until(lambda: not owner.alive(), "it has ended")
        assert System().listeners(owner) == []


def test_nothing_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the copies are closed, and after a refusal half-way, no descriptor is left here."""
    with running(SERVER + "more = socket.create_server(('127.0.0.1', 0))\n" + TOLD + WAIT) as (
        owner,
        _,
    ):
        before = os.listdir("/proc/self/fd")
        with copied(owner) as found:
            assert len(found) == 2
        taken = iter([getfd._getfd(owner.fileno(), found[0].number)])

        def refused(pidfd: int, number: int) -> int:
            for copy in taken:
                return copy
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(getfd, "_getfd", refused)
        with pytest.raises(PermissionError):
            System().listeners(owner)
        assert os.listdir("/proc/self/fd") == before


COPY = """
import os, sys
from unicorn_handover.kernel.system import System
owner = System().hold(int(sys.argv[1]))
before = os.getresuid(), os.getresgid()
try:
    found = System().listeners(owner)
    print(*[listener.name for listener in found])
except PermissionError as error:
    print(error)
print((os.getresuid(), os.getresgid()) == before)
"""


def copy_by(owner: Process, *prefix: str) -> list[str]:
    """What another host, run by `prefix`, gets of an owner's listeners; whether it is unchanged."""
    words = [*prefix, sys.executable, "-c", COPY, str(owner.pid)]
    seen = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    return seen.splitlines()


@ROOT
def test_root_without_ptrace_copies_by_the_owners_ids() -> None:
    """As in most containers. Its own ids are as before."""
    with running(SERVER + TOLD + WAIT, *NOBODY) as (owner, told):
        wait_until(lambda: os.stat(f"/proc/{owner.pid}").st_uid == 65534, "it is another user's")
        assert copy_by(owner, *WITHOUT_PTRACE) == [f"127.0.0.1:{told[1]}", "True"]


@ROOT
def test_another_user_is_refused() -> None:
    """A host that is not root, and a program of another user: the line names the capability."""
    with running(SERVER + TOLD + WAIT) as (owner, _):
        line, unchanged = copy_by(owner, *NOBODY)
        assert line.startswith("user 65534 ") and f"pid {owner.pid}" in line
        assert "CAP_SYS_PTRACE" in line and unchanged == "True"


@ROOT
def test_a_program_that_is_not_dumpable_is_refused() -> None:
    """The line says that it is the program's own doing."""
    undumpable = "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
    with running(SERVER + undumpable + TOLD + WAIT, *NOBODY) as (owner, _):
        line, unchanged = copy_by(owner, *WITHOUT_PTRACE)
        assert unchanged == "True" and ("not dumpable" in line or "inspect" in line), line


@pytest.mark.parametrize(
    ("own", "scope", "words"),
    [
        (38, "0", "Linux 5.6"),
        (1, "0", "seccomp"),
        (0, "3", "ptrace_scope = 3"),
        (0, "1", "ptrace_scope = 1 forbids it; run the host with the capability CAP_SYS_PTRACE"),
        (0, "", "another user's"),
    ],
)
def test_the_refusal_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: int, scope: str, words: str
) -> None:
    """An old kernel, a filter, Yama in each scope, and none of them."""
    (tmp_path / "scope").write_text(scope)
    monkeypatch.setattr(getfd, "YAMA", tmp_path / "scope")
    monkeypatch.setattr(getfd, "_refusal_of_own", lambda: own)
    assert words in getfd._why_denied(os.getpid())
