"""A stop signal that cuts requests, warned of once it is known which server a program runs."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGINT, SIGKILL, Signals

from ..servers import Server
from .guard import contained

Setting = Callable[[], tuple[str, int]]  # gives it, as "[section] key", and the signal's number


class StopSignal:
    """The stop signal of one program.

    `server` gives the server of the living master, or None. A process that was forked just now
    shows its host's command line, or that of `bundle exec`, so it is asked until it is known.
    `warn` takes a line, `failed` one about an error of ours.
    """

    def __init__(
        self,
        server: Callable[[], Server | None],
        warn: Callable[[str], None],
        failed: Callable[[str], None],
    ) -> None:
        self.failed = failed
        self._server = server
        self._warn = warn
        self._setting: Setting | None = None  # None of a program that was checked

    def begin(self, setting: Setting) -> None:
        """Note that the program was started, or is managed from now on."""
        self._setting = setting
        self.check()

    @contained()
    def check(self) -> None:
        """Warn, once for each start."""
        find, server = self._setting, self._server() if self._setting else None
        if server is None or find is None:
            return
        self._setting = None
        setting, signum = find()
        if signum in (server.quick, SIGINT, SIGKILL):
            name, good = Signals(signum).name[3:], server.graceful.name[3:]
            self._warn(
                f"{setting}: {name} makes {server.name} cut its requests at every stop; "
                f"set {setting.split()[-1]} = {good}"
            )
