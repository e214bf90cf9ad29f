"""A process that was remembered is taken for a program's only if it can be that."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..fake_host import FakeHost, id_of
from .remembering import killed


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (["unicorn", "master"], True),
        (["ruby", "/usr/bin/unicorn", "-c", "/u.rb"], True),
        (["/bin/sh", "/srv/unicorn", "-c", "/u.rb"], True),  # as the section has it, by a script
        (["/bin/sh", "/srv/other", "-c", "/u.rb"], False),
        (["sleep", "600"], False),
        (["-c", "/u.rb"], False),
        ([""], False),
    ],
)
def test_what_it_runs(first: FakeHost, state: Path, words: list[str], known: bool) -> None:
    """A server, or what the program's section says; for a stranger there is one line."""
    fake = first.start(first.web)
    host = killed(first, state)
    fake.words = words
    found = host.web.survival.find()
    assert (found.master if found else None) == (id_of(fake) if known else None)
    lines = [line for line in host.lines if "is not touched" in line]
    host.wait(host.web.options.drain_timeout + 1)
    assert len(lines) == (not known) and not host.kernel.signals


def test_another_programs(first: FakeHost, state: Path) -> None:
    """Whoever was taken over already is no second program's master."""
    fake = first.start(first.web)
    host = killed(first, state)
    host.known.add(fake.pid)
    assert host.web.survival.find() is None and "is another program's" in host.lines[0]


def test_another_group(first: FakeHost, state: Path) -> None:
    """The host made the group for the program."""
    fake = first.start(first.web)
    host = killed(first, state)
    fake.pgrp = 4711
    assert host.web.survival.find() is None and "not in its process group" in host.lines[0]


def test_a_group_whose_number_is_another_one_s(first: FakeHost, state: Path) -> None:
    """Its leader was started later, so nothing of the program's was left: nobody is touched."""
    fake = first.start(first.web)
    first.kernel.end(fake)
    first.wait(1)
    leader = first.kernel.add(ppid=999, forked=False, words=["bash"], pgrp=fake.pid)
    first.kernel.processes[fake.pid] = first.kernel.processes.pop(leader.pid)
    leader.pid = fake.pid
    other = first.kernel.add(ppid=fake.pid, forked=True, words=["bash"])
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.master is None and other.pgrp == fake.pgrp
    host.wait(host.web.options.drain_timeout + 1)
    assert not host.kernel.signals
