"""What a managed program writes: read out of its pipes in time, and shown when a release fails."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tornado.ioloop import IOLoop

from unicorn_handover.host.logs import Logs

if TYPE_CHECKING:
    from .watcher import ManagedWatcher

READS = 256  # of a pipe at once, 1 KiB each: as much as a pipe holds, and some


class Output:
    """The output of one watcher, as far as its streams are files."""

    def __init__(self, watcher: ManagedWatcher) -> None:
        self._watcher = watcher
        self._logs = Logs()

    def mark(self) -> None:
        """Remember where the logs end now."""
        self._logs.mark(self._files())

    def excerpt(self, old: int) -> tuple[str, ...]:
        """The last lines that others than the master `old` wrote since `mark`."""
        self.drain()
        return self._logs.excerpt(self._files(), old)

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
            if path:
                yield path


def _readable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return any(events & select.POLLIN for _, events in poller.poll(0))
