"""What the server itself says of its configuration, before anything is started."""

from __future__ import annotations

import contextlib
import shlex
from subprocess import SubprocessError

from ..errors import Refused, printable
from ..kernel.process import Process
from ..kernel.system import System
from ..servers import Launch, Server

PATIENCE = 20.0  # seconds: nginx looks the names of upstream servers up


class Trial:
    """One run of a server's trial, as the host would start the server now. Nothing blocks on it.

    A trial that cannot be run is left out: the new master finds the fault by itself then. pid_file:
    the path that the trial has printed, "" if there is none; None if it has printed nothing.
    """

    def __init__(
        self, system: System, master: Process, server: Server, launch: Launch, patience: float
    ) -> None:
        self._system = system
        self._server = server
        self._argv = server.next_start.trial(system, master.pid, launch)
        self.pid_file: str | None = None
        self._until = system.clock() + min(PATIENCE, patience)
        self._run = None
        if self._argv:
            directory = launch.directory or system.working_directory(master.pid)
            who, environ = (launch.user, launch.group), launch.environ
            with contextlib.suppress(OSError, SubprocessError):
                self._run = system.run_as(*who, self._argv, directory, environ)

    def passed(self) -> bool:
        """True once the trial has ended well.

        Raises Refused, with the server's own message, if the trial has failed or is late.
        """
        if self._run is None:
            return True
        if not self._run.ended:
            return self._is_late()
        output, next_start = self._run.output, self._server.next_start
        fault = next_start.fault(output, self._run.status)
        self.pid_file = next_start.pid_file(output)
        self.close()
        if fault:
            raise Refused(f"{self._shown} says: {printable(fault)}; correct that")
        return True

    def extend(self, seconds: float) -> None:
        """Give it more time."""
        self._until += seconds

    def close(self) -> None:
        """End the trial, if it still runs. May be called twice."""
        run, self._run = self._run, None
        if run:
            run.close()

    @property
    def _shown(self) -> str:
        return printable(shlex.join(self._argv))

    def _is_late(self) -> bool:
        """True if the trial is late and not needed. Raises Refused if it is needed."""
        late = self._system.clock() >= self._until
        if late:
            self.close()
            if self._server.next_start.hangs:
                raise Refused(f"{self._shown} does not end; {self._server.next_start.hangs}")
        return late
