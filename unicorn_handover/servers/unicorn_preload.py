"""Whether a running unicorn has its application in memory, so that its workers are forked with it.

Nobody else knows what its configuration said when it started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..kernel.system import System
from .base import values

LEAST_OF_AN_APP = 2048  # bytes that are read to build one; rack/builder.rb has 4 to 9 KB


def is_read_by_none(system: System, workers: Iterable[int]) -> bool:
    """True if one of a master's ready workers has read less than whoever builds the app.

    That is at least rack/builder.rb (Unicorn.builder). A fork of what has built the app has read
    nothing, and 1.3 KB after its first request (measured).
    """
    counts = (system.bytes_read(worker) for worker in workers)
    return any(count is not None and count < LEAST_OF_AN_APP for count in counts)


def says_preload(system: System, master: int) -> bool:
    """True for a plain `preload_app true` in a file that has not changed since the master began."""
    paths = values(" ".join(system.command_line(master)).split(), "-c", "--config-file")
    stat = system.stat(master)
    if not paths or stat is None:
        return False
    path = os.path.join(system.working_directory(master), paths[-1])
    return system.changed(path) < stat.start and _plainly_preloads(system.text_of(path))


def _plainly_preloads(settings: str) -> bool:
    """True if `preload_app true` is said outside of any block, and nothing else of preload_app."""
    code = re.split(r"^__END__$", settings, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line.partition("#")[0].rstrip() for line in code.splitlines()]
    said = [line for line in lines if "preload_app" in line or line.startswith("=begin")]
    return bool(said) and all(
        re.fullmatch(r"preload_app(\(| )\s*true\s*\)?", line) for line in said
    )
