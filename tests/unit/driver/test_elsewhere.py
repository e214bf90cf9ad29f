"""Where a failed release's cause is to be looked for if nobody of ours reads what it writes."""

from __future__ import annotations

import os
import subprocess

import pytest

from unicorn_handover.driver.logs import elsewhere
from unicorn_handover.kernel.pipes import PipeEnds
from unicorn_handover.kernel.system import System

from ..fake_system import FakeSystem

HOST = {"ppid": 0, "forked": False, "words": ["supervisord"]}
MASTER = {"ppid": 1, "forked": False, "words": ["unicorn master"]}
PIPE, NONE = "pipe:[7]", frozenset[str]()
READ, WRITTEN = PipeEnds(frozenset({PIPE}), NONE), PipeEnds(NONE, frozenset({PIPE}))


@pytest.mark.parametrize(
    ("host", "target", "told"),
    [
        ({}, PIPE, "goes to another program, past the host"),
        ({"pipes": READ}, PIPE, ""),
        ({"pipes": WRITTEN}, PIPE, ""),
        ({"pipes": None}, PIPE, ""),
        ({}, "/dev/null", "is /dev/null"),
        ({"opened": {2: "/dev/null"}}, "/dev/null", ""),
        ({}, "/srv/web/error.log", ""),
        ({}, "", ""),
    ],
    ids=["past", "read", "the host's too", "not to be seen", "null", "daemon's", "file", "gone"],
)
def test_it_is_reported(host: dict[str, object], target: str, told: str) -> None:
    """Only if the host neither reads it nor has it for its own standard error."""
    system = FakeSystem()
    system.processes[1] = system.add(**{**HOST, **host})
    master = system.add(**MASTER, opened={2: target}, pipes=WRITTEN)
    line = elsewhere(system, master.pid)
    assert told in line and bool(told) == bool(line)


@pytest.mark.parametrize("handed_over", [False, True])
def test_the_reader_is_named(handed_over: bool) -> None:
    """A shell that ran `exec > >(logger)` leaves its child to the server, and that to the host."""
    system = FakeSystem()
    system.processes[1] = system.add(**HOST)
    master = system.add(**MASTER, opened={2: PIPE}, pipes=WRITTEN)
    system.add(ppid=master.pid, forked=True, words=["unicorn worker[0]"], pipes=WRITTEN)
    parent = 1 if handed_over else master.pid
    reader = system.add(ppid=parent, forked=False, words=["logger", "-t", "web"], pipes=READ)
    assert f"goes to pid {reader.pid} (logger -t web)" in elsewhere(system, master.pid)


def test_what_a_descriptor_names() -> None:
    """As the kernel tells it; nothing of what is gone."""
    read, write = os.pipe()
    try:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stderr=write) as child:
            inode = os.fstat(read).st_ino
            assert System().opened(child.pid, 2) == f"pipe:[{inode}]"
            assert System().opened(child.pid, 99) == ""
    finally:
        os.close(read)
        os.close(write)
