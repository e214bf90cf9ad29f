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
    """One run of a server's trial, as the host would start it now. Nothing waits for it here.

    Where it cannot be run, it is left out: the new master finds out by itself then. pid_file: what
    it has told of that; None if nothing.
    """

    def __init__(
        self, system: System, master: Process, server: Server, launch: Launch, patience: float
    ) -> None:
        self._system = system
        self._server = server
        self._argv = server.start.trial(system, master.pid, launch)
        self.pid_file: str | None = None
        self._until = system.clock() + min(PATIENCE, patience)
        self._run = None
        if self._argv:
            directory = launch.directory or system.working_directory(master.pid)
            who, environ = (launch.user, launch.group), launch.environ
            with contextlib.suppress(OSError, SubprocessError):
                self._run = system.run_as(*who, self._argv, directory, environ)

    def passed(self) -> bool:
        """True once it has ended well.

        Raises Refused, with the server's own message, if it has ended otherwise, or not in time.
        """
        if self._run is None:
            return True
        if not self._run.ended:
            return self._is_late()
        output, start = self._run.output, self._server.start
        fault, self.pid_file = start.fault(output, self._run.status), start.pid_file(output)
        self.close()
        if fault:
            raise Refused(f"{self._shown} says: {printable(fault)}; correct that")
        return True

    def close(self) -> None:
        """End it, if it still runs. May be called twice."""
        run, self._run = self._run, None
        if run:
            run.close()

    @property
    def _shown(self) -> str:
        return printable(shlex.join(self._argv))

    def _is_late(self) -> bool:
        """True if it does not end and is not needed. Raises Refused if it is."""
        late = self._system.clock() >= self._until
        if late:
            self.close()
            if self._server.start.hangs:
                raise Refused(f"{self._shown} does not end; {self._server.start.hangs}")
        return late
