"""A process of Circus's that is started on sockets which are there already."""

from __future__ import annotations

import os
from typing import Any

from circus.process import Process

from unicorn_handover.host.copies import Copies
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.kernel.reopen import become_own_reader
from unicorn_handover.kernel.spawn import inherit_only
from unicorn_handover.model.record import MasterId


class InheritingProcess(Process):  # type: ignore[misc]
    """Inherits copies of sockets, if there are any, under the numbers that they have here."""

    env: Any
    use_fds: Any
    watcher: Any
    given: Copies | None = None

    def __init__(self, *arguments: Any, given: Copies | None = None, **keywords: Any) -> None:
        self.given = given
        super().__init__(*arguments, **keywords)

    def spawn(self) -> None:
        """Start it as Circus does. Raises OSError and ValueError, as Circus does."""
        if self.given is None:
            super().spawn()
            return
        env, use_fds = self.env, self.use_fds
        self.env = {**env, **self.given.variables(self.given.numbers)}
        self.use_fds = True
        try:
            super().spawn()
        finally:
            self.env, self.use_fds = env, use_fds

    def _null_streams(self, streams: Any) -> None:
        """In the child: let it inherit the copies, and nothing else; remember it.

        `use_fds` keeps Circus from closing all. Circus's own sockets are inheritable, and what a
        gunicorn inherits is taken for its own.
        """
        if self.given:
            inherit_only(self.given.numbers)
        super()._null_streams(streams)
        if self.watcher.program.options.own_reader:
            become_own_reader()
        pid = os.getpid()
        stat = self.watcher.system.stat(pid)
        self.remember(MasterId(pid, stat.start if stat else 0))

    def remember(self, child: MasterId) -> None:
        """In the child: let the next circusd know of it. `Popen` returns when it has executed."""
        if isinstance(self.given, Inheritance):
            self.watcher.program.survival.note_child(child, self.given.moved.state())
