"""How the masters of one runner are started, and were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from unicorn_handover.host.copies import Command, start
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.host.loop import Call
from unicorn_handover.host.master import Master
from unicorn_handover.host.program import Program
from unicorn_handover.host.survival import Survivor
from unicorn_handover.kernel.files import logical_directory
from unicorn_handover.kernel.gate import Gate
from unicorn_handover.servers import Launch

from .start import Start


class Starts:
    """What the engine asks about a runner's masters, and how it has one started beside another.

    now: how this runner would start one, by the `words` of a command. given, beside: how the
    running one was started, and the one beside it, maybe by an earlier runner.
    """

    def __init__(
        self, program: Program, words: Sequence[str], adopt_if_dead: Callable[[], None]
    ) -> None:
        self.adopt_if_dead = adopt_if_dead
        self._program = program
        self._now = Start.now(program.system, words, logical_directory())
        self._given = self._beside = self._now
        program.supervised = program.beside.starter = self

    def difference(self) -> str:
        """What this runner was started with that the one which started the master was not."""
        return self._now.difference(self._given)

    def command(self) -> Command:
        """How the program would be started now."""
        return self._now.run()

    def command_in_force(self) -> Command:
        """How the program would be started after a crash: as the running master was."""
        return self._given.run()

    @property
    def launch(self) -> Launch:
        """The same, as the driver is to know it."""
        return self._given.launch(self._given.started_in)

    @property
    def next_launch(self) -> Launch:
        """How it would be started now, as the driver is to know it."""
        return self._now.launch(self._given.started_in)

    def start(self) -> tuple[int, Gate]:
        """Start the first master of a family. Raises CannotRun."""
        started = start(self.command_in_force(), self._program.begins())
        self._given = self._given.again(self._program.system)
        return started

    def start_beside(self, inheritance: Inheritance) -> tuple[int, Call]:
        """Start a new master on sockets that are there already. Raises CannotRun."""
        pid, gate = start(self.command(), inheritance)
        self._beside = self._now.again(self._program.system)
        return pid, gate.open

    def reap_beside(self) -> None:
        """Reap it, if it is a child: a killed runner may have started it."""
        if self._program.beside.is_child:
            self.adopt_if_dead()
        else:
            self._program.beside.ended()

    def adopted(self, master: Master) -> None:
        """Note that a successor has taken a master's place: one that leads a group was beside."""
        if master.group == master.pid:
            self._given = self._beside

    def remembered(self) -> dict[str, Any]:
        """How the running master was started, and the one beside it."""
        return {"given": vars(self._given), "beside": vars(self._beside)}

    def restore(self, survivor: Survivor) -> None:
        """Know again what an earlier runner has remembered."""
        own = survivor.note.own
        with contextlib.suppress(KeyError, TypeError):
            self._beside = Start.from_json(own["beside"])
            self._given = self._beside if survivor.was_beside else Start.from_json(own["given"])
