"""A new master that supervisord starts beside a program's running one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from supervisor.options import ProcessConfig
from supervisor.process import ProcessGroupBase, Subprocess

from unicorn_handover.errors import Refused, printable
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.kernel.gate import Gate
from unicorn_handover.kernel.process import Process

from .child import prepare_master
from .pipes import reopen_pipes


class BesideSubprocess(Subprocess):  # type: ignore[misc]
    """Started as Supervisor starts every program, but on sockets that are there already.

    It has a configuration and pipes of its own, but its state does not matter: the program's is
    that of the old master, until this one takes its place. `ended` is called when it was reaped.
    inheritance: None of one that an earlier supervisord has started. started_in: the real path of
    its directory, to find out later whether that has changed.
    """

    config: Any

    def __init__(
        self,
        config: ProcessConfig,
        group: ProcessGroupBase,
        inheritance: Inheritance | None,
        ended: Callable[[], None],
        own_reader: bool = False,
    ) -> None:
        Subprocess.__init__(self, config)
        self.group = group
        self.started_in = ""
        self._inheritance = inheritance
        self._ended = ended
        self._own_reader = own_reader
        self._gate: Gate | None = None

    def start(self) -> int:
        """Start it, and return its pid. Raises Refused."""
        self._gate = Gate()
        pid: int | None = self.spawn()
        if not pid:
            self.let_go_on()
            why = printable(str(self.spawnerr or "it cannot be started"))
            raise Refused(f"[program:{self.config.name}] command: {why}")
        return pid

    def take_over(self, held: Process, warn: Callable[[str], None]) -> None:
        """Stand for one that an earlier supervisord has started; `warn` takes a line."""
        self.pid = held.pid
        self.config.options.pidhistory[held.pid] = self
        reopen_pipes(self, held, warn)

    def let_go_on(self) -> None:
        """Let it execute its command: it is remembered."""
        if self._gate:
            self._gate.open()

    def change_state(self, new_state: int, expected: bool = True) -> bool:
        """Change it without an event: the program goes on running."""
        self.state = new_state
        return True

    def _prepare_child_fds(self) -> None:
        """In the child: give it the sockets."""
        prepare_master(self, self._gate, self._inheritance, self._own_reader)

    def finish(self, pid: int, sts: int) -> None:
        """It was reaped before it could take the old master's place."""
        self.drain()
        self.pid = 0
        self.config.options.close_parent_pipes(self.pipes)
        self._ended()
