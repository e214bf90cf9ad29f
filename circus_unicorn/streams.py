"""What comes out of a managed program's pipes: read in time, and kept while a handover runs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from circus.stream.redirector import Redirector
from circus.watcher import Watcher
from tornado.ioloop import IOLoop

from unicorn_handover.host.output import Output as ProgramOutput
from unicorn_handover.kernel.readiness import has_data

READS = 256  # of a pipe at once, 1 KiB each: as much as a pipe holds, and some


class Streams(dict[str, Any]):
    """A redirector's streams by channel; what is handed to one passes through `output` too."""

    def __init__(self, streams: dict[str, Any], output: ProgramOutput) -> None:
        super().__init__(streams)
        self._output = output

    def __getitem__(self, channel: str) -> Callable[[dict[str, Any]], None]:
        """The stream to call: Circus takes it from here for each piece that it has read."""
        stream = super().__getitem__(channel)

        def hand_over(piece: dict[str, Any]) -> None:
            self._output.add(channel, piece["data"])
            stream(piece)

        return hand_over


class Output(ProgramOutput):
    """What comes out of one watcher's pipes: of the channels that have a stream."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher
        if watcher.stream_redirector:
            self.listen(watcher.stream_redirector)

    def listen(self, redirector: Redirector) -> None:
        """Let all that a redirector reads pass through this."""
        redirector.redirect = Streams(redirector.redirect, self)

    def excerpts(self, old: Collection[int]) -> list[tuple[str, ...]]:
        """What others than the processes `old` wrote until now, as an excerpt of each channel."""
        self.drain()
        return super().excerpts(old)

    def elsewhere(self) -> str:
        """What an operator can do who is shown nothing."""
        if self._watcher.stderr_stream:
            return ""
        return (
            "its standard error is circusd's own, see there; [watcher:"
            f"{self._watcher.name}] stderr_stream.class = StdoutStream brings it here as well"
        )

    def drain(self) -> None:
        """Hand the streams what is in the pipes now."""
        redirector = self._watcher.stream_redirector
        if redirector is None:
            return
        for descriptor, (name, process, pipe) in list(redirector.pipes.items()):
            handler = redirector.Handler(redirector, name, process, pipe)
            for _ in range(READS):
                if descriptor not in redirector.pipes or not has_data(descriptor):
                    break
                handler(descriptor, IOLoop.READ)
