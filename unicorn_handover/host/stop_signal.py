"""A stop signal that cuts requests, warned of once it is known which server a program runs."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGINT, SIGKILL, Signals

from ..servers import Server
from .guard import contained


class StopSignal:
    """The stop signal of one program.

    `server` gives the server of the living master, or None. A process that was forked just now
    shows its host's command line, or that of `bundle exec`, so it is asked until it is known.
    `setting` gives the setting, as "[section] key", and the signal's number; `warn` takes a line,
    `failed` one about an error of ours.
    """

    def __init__(
        self,
        server: Callable[[], Server | None],
        setting: Callable[[], tuple[str, int]],
        warn: Callable[[str], None],
        failed: Callable[[str], None],
    ) -> None:
        self.failed = failed
        self._server = server
        self._setting = setting
        self._warn = warn
        self._is_checked = True

    def begin(self) -> None:
        """Note that the program was started, or is managed from now on."""
        self._is_checked = False
        self.check()

    @contained()
    def check(self) -> None:
        """Warn, once for each start."""
        server = None if self._is_checked else self._server()
        if server is None:
            return
        self._is_checked = True
        setting, signum = self._setting()
        if signum in (server.quick, SIGINT, SIGKILL):
            name, good = Signals(signum).name[3:], server.graceful.name[3:]
            self._warn(
                f"{setting}: {name} makes {server.name} cut its requests at every stop; "
                f"set {setting.split()[-1]} = {good}"
            )
