"""What a managed program writes: read out of its pipes in time, and shown when a release fails."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tornado.ioloop import IOLoop

from unicorn_handover.output import excerpt

if TYPE_CHECKING:
    from .watcher import ManagedWatcher

TAIL_BYTES = 1 << 16  # of a log that are read for the operator, from its end
READS = 256  # of a pipe at once, 1 KiB each: as much as a pipe holds, and some


class Output:
    """The output of one watcher, as far as its streams are files."""

    def __init__(self, watcher: ManagedWatcher) -> None:
        self._watcher = watcher
        self._marks: dict[str, int] = {}

    def mark(self) -> None:
        """Remember where the logs end now."""
        self._marks = {path: os.path.getsize(path) for path in self._files()}

    def excerpt(self, old: int) -> tuple[str, ...]:
        """The last lines that others than the master `old` wrote since `mark`."""
        self.drain()
        for path in self._files():
            lines = excerpt(self._since_mark(path), old)
            if lines:
                return lines
        return ()

    def drain(self) -> None:
        """Hand the streams what is in the pipes now."""
        redirector = self._watcher.stream_redirector
        if redirector is None:
            return
        for descriptor, (name, process, pipe) in list(redirector.pipes.items()):
            handler = redirector.Handler(redirector, name, process, pipe)
            for _ in range(READS):
                if descriptor not in redirector.pipes or not _readable(descriptor):
                    break
                handler(descriptor, IOLoop.READ)

    def _files(self) -> Iterator[str]:
        for conf in (self._watcher.stderr_stream_conf, self._watcher.stdout_stream_conf):
            path = (conf or {}).get("filename")
            if path and os.path.isfile(path):
                yield path

    def _since_mark(self, path: str) -> str:
        try:
            size = os.path.getsize(path)
            mark = self._marks.get(path, 0)
            with open(path, "rb") as file:
                file.seek(max(size - TAIL_BYTES, mark if mark <= size else 0))  # smaller: rotated
                return file.read(TAIL_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""


def _readable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return any(events & select.POLLIN for _, events in poller.poll(0))
