"""A host that has no descriptor left still sees and holds processes, by those it keeps spare."""

from __future__ import annotations

import subprocess
import sys

# A process of its own: it uses up all its descriptors.
BEGIN = """
import os, resource
from unicorn_handover.kernel.spare import COUNT
from unicorn_handover.kernel.system import System

def use_up():
    numbers = []
    try:
        while True:
            numbers.append(os.dup(0))
    except OSError:
        return numbers

def sees():
    held = system.hold(own)
    group = system.group_members(os.getpgrp())
    return [bool(held and held.alive()), system.stat(own) is not None, own in group,
            bool(system.environ(own))]

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
system, own = System(), os.getpid()
"""


def printed(script: str) -> list[str]:
    """What a script prints that has 64 descriptors."""
    words = [sys.executable, "-c", BEGIN + script]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


def test_what_is_seen_by_the_reserve() -> None:
    """As much as ever, while it lasts; it is filled again when there are others.

    That no other is left shows for as long as that is so, whoever has looked for one meanwhile.
    """
    script = """
system.keep_spare()
used = use_up()
print(*sees(), len([held for held in (system.hold(own) for _ in range(2 * COUNT)) if held]))
print(system.keep_spare(), system.keep_spare())
os.closerange(used[0], used[-1] + 1)
print(system.keep_spare())
use_up()
print(*sees())
"""
    # Of the 16 one is held by now, and one is needed to look at what is held.
    assert printed(script) == [
        *("True True True True 14", "False False"),
        *("True", "True True True True"),
    ]


def test_a_process_without_a_reserve() -> None:
    """Nothing is seen, and nothing raises; the host can say why."""
    script = "use_up(); print(*sees(), system.keep_spare())"
    assert printed(script) == ["False False False False False"]


def test_a_reserve_that_was_closed_by_its_numbers() -> None:
    """Supervisor's reload does that; what has such a number by then is left open."""
    script = """
first = os.dup(0)
system.keep_spare()
os.closerange(first, 64)
used = use_up()
print(*sees())
print(len([number for number in used if os.fstat(number)]) == 64 - first)
"""
    assert printed(script) == ["False False False False", "True"]
