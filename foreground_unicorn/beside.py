"""The runner's part of a handover by spawn: it starts the new master by its own command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from unicorn_handover.errors import Refused
from unicorn_handover.host.copies import Command, start
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.host.loop import Call
from unicorn_handover.host.program import Program
from unicorn_handover.kernel.spawn import CannotRun
from unicorn_handover.servers import Launch

from .start import Start


class Starts(Protocol):
    """A runner's own start, those of its running master, and of the one beside it."""

    now: Start
    given: Start
    beside: Start


class NextMaster:
    """Starts the new master, and reaps it if it does not take the old one's place."""

    def __init__(self, program: Program, starts: Starts, reap: Callable[[], None]) -> None:
        self._program = program
        self._starts = starts
        self._reap = reap

    def difference(self) -> str:
        """What this runner was started with that the one which started the master was not."""
        return self._starts.now.difference(self._starts.given)

    def command(self) -> Command:
        """How the program would be started now."""
        return self._starts.now.run(self._program.options.pidfile)

    @property
    def next_launch(self) -> Launch:
        """The same, as the driver is to know it."""
        return self._starts.now.launch(self._starts.given.started_in)

    def start_beside(self, inheritance: Inheritance) -> tuple[int, Call]:
        """Start a new master on sockets that are there already. Raises Refused."""
        try:
            pid, gate = start(self.command(), inheritance)
        except CannotRun as why:
            raise Refused(str(why)) from None
        self._starts.beside = self._starts.now.again(self._program.system)
        return pid, gate.open

    def reap_beside(self) -> None:
        """Reap it, if it is a child: a killed runner may have started it."""
        if self._program.beside.is_child:
            self._reap()
        else:
            self._program.beside.ended()
