"""What the kernel shows of a forked child to one who is not its parent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from unicorn_handover.kernel.system import System

# The parent says what it does; the child obeys it through a pipe.
SCRIPT = """
import mmap, os, sys
page, pages = mmap.mmap(-1, mmap.PAGESIZE), mmap.mmap(-1, 2 * mmap.PAGESIZE)
page[:8] = (4711).to_bytes(8, sys.byteorder)
ours, theirs = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    os.close(ours[1])
    os.write(theirs[1], b".")
    os.read(ours[0], 1)
    page[8:16] = (1).to_bytes(8, sys.byteorder)
    os.write(theirs[1], b".")
    os.read(ours[0], 1)
    os._exit(7)
os.close(ours[0])
os.read(theirs[0], 1)
print(child, flush=True)
for line in sys.stdin:
    if line == "touch\\n":
        os.write(ours[1], b".")
        os.read(theirs[0], 1)
    if line == "end\\n":
        os.close(ours[1])
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    if line == "wait\\n":
        os.waitpid(child, 0)
    print("done", flush=True)
"""


class Family:
    """A parent and its child, which is one."""

    def __init__(self, parent: subprocess.Popen[str]) -> None:
        self.parent = parent.pid
        self._streams = parent.stdin, parent.stdout
        self.child = int(self._answer())

    def tell(self, word: str) -> None:
        """Have something done; returns when it is."""
        assert self._streams[0]
        self._streams[0].write(word + "\n")
        self._streams[0].flush()
        assert self._answer() == "done\n"

    def _answer(self) -> str:
        assert self._streams[1]
        return self._streams[1].readline()


@pytest.fixture
def family() -> Iterator[Family]:
    """A parent that shares a page with its child."""
    words = [sys.executable, "-c", SCRIPT]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as parent:
        yield Family(parent)
        parent.kill()


def test_a_shared_page_is_touched_by_who_uses_it(family: Family) -> None:
    """The child has it from its parent, at the same address, and untouched."""
    system = System()
    (page,) = system.shared_pages(family.parent)  # the mapping of two pages is another's
    assert system.shared_pages(family.child) == [page]
    assert system.has_touched(family.parent, page) is True
    assert system.has_touched(family.child, page) is False
    family.tell("touch")
    assert system.has_touched(family.child, page) is True
    assert system.words_at(family.parent, page)[:3] == (4711, 1, 0)
    family.tell("end")
    assert not system.has_touched(family.child, page)
    assert system.words_at(family.child, page) == () and system.shared_pages(family.child) == []


def test_ends_of_pipes(family: Family) -> None:
    """Each process closes the ends of the other; what was inherited shows both."""
    ours, theirs = System().pipe_ends(family.parent), System().pipe_ends(family.child)
    assert ours and theirs
    (commands,) = (ours.written - ours.read) & theirs.read
    assert commands.startswith("pipe:[") and commands not in theirs.written
    assert len(ours.read & ours.written & theirs.read & theirs.written) == 1
    family.tell("end")
    family.tell("wait")
    assert System().pipe_ends(family.child) is None


def test_how_a_process_ended_is_told_to_others_than_its_parent(family: Family) -> None:
    """A zombie shows it; once its parent has waited, the pidfd does, since Linux 6.15."""
    held = System().hold(family.child)
    assert held
    assert held.wait_status() is None
    family.tell("end")
    assert held.wait_status() == 7 << 8 and not held.alive()
    family.tell("wait")
    assert held.wait_status() in (7 << 8, None)
    held.close()
    assert held.wait_status() is None
