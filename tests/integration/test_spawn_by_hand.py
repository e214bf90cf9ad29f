"""A master that is started beside another, on copies of its sockets, without any supervisor."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import SIGUSR2

import pytest

from unicorn_handover.driver.decoy import Decoy
from unicorn_handover.family import members
from unicorn_handover.family.served import close_all, copy_served
from unicorn_handover.kernel.pid_file import PidFile
from unicorn_handover.kernel.process import Process
from unicorn_handover.kernel.system import System
from unicorn_handover.servers import SERVERS, Server

from ..kit.load import Load
from ..kit.processes import MARK
from ..kit.programs import Program
from ..waiting import wait_until

SYSTEM = System()


class Masters:
    """The masters of one program, which a test starts and ends itself."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.server: Server = SERVERS[program.server]
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, variables: dict[str, str], sockets: Sequence[int] = ()) -> Process:
        """Start a master that inherits these descriptors, and wait until it serves alone or not."""
        environ = {**os.environ, MARK: str(self.program.folder.parent), **variables}
        with (self.program.folder / "output").open("ab") as output:
            child = subprocess.Popen(
                self.program.command_line.split(),
                cwd=self.program.folder,
                env=environ,
                pass_fds=sockets,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.started.append(child)
        master = SYSTEM.hold(child.pid)
        assert master
        wait_until(lambda: self._serves(child, master), "every worker is ready")
        return master

    def _serves(self, child: subprocess.Popen[bytes], master: Process) -> bool:
        assert child.poll() is None, (self.program.folder / "output").read_text()
        if not self.server.accepts_signals(SYSTEM, master.pid):
            return False
        found = members.workers(SYSTEM, master, self.server)
        return len(found.ready) == self.program.workers and not found.booting

    def hand_over(self, old: Process) -> Process:
        """Start the next master on the sockets of this one, and end this one when it serves."""
        pid_file = PidFile(str(self.program.pid_path))
        moved = pid_file.move_aside(old.pid)
        assert moved is self.program.pidfile
        copies = copy_served(SYSTEM, old, self.server)
        numbers = [copy.socket.fileno() for copy in copies]
        try:
            new = self.start(self.server.handed(numbers, old.pid), numbers)
        finally:
            close_all(copies)
        self._end(old, new)
        pid_file.forget(old.pid)
        return new

    def _end(self, old: Process, new: Process) -> None:
        if self.server.unlinks_sockets and self.program.unix:
            with contextlib.closing(Decoy(SYSTEM, old, self.server, new)) as decoy:
                while not decoy.over:
                    time.sleep(decoy.pause)
                    decoy.step()
        else:
            old.signal(self.server.graceful)
        wait_until(lambda: not old.alive(), "the old master has ended")
        self.started[-2].wait()


@pytest.fixture(params=["tcp", "unix"])
def masters(folder: Path, server: str, request: pytest.FixtureRequest) -> Iterator[Masters]:
    """A program of each server, on each kind of socket."""
    masters = Masters(Program(folder, server=server, unix=request.param == "unix"))
    yield masters
    last = masters.started[-1]
    last.send_signal(masters.server.graceful)
    last.wait()


def test_every_server_serves_on_the_sockets_of_another_master(masters: Masters) -> None:
    """Three times in a row, under load: nothing fails, and pid file and socket have their names."""
    program = masters.program
    master = masters.start({})
    with Load(program.address) as load:
        for release in ("v2", "v3", "v4"):
            program.write(release)
            master = masters.hand_over(master)
            wait_until(lambda pid=master.pid: program.pid_in_file() == pid, "its pid file names it")
            assert program.answers(release)
    assert load.failures == [] and load.releases() == {"v1", "v2", "v3", "v4"}
    assert not list(program.folder.glob("*.oldbin")) and not list(program.folder.glob("*.2"))


def test_a_spawned_master_re_executes_itself_as_any_other(masters: Masters) -> None:
    """USR2 finds the sockets where the variables of the first start have put them."""
    program = masters.program
    master = masters.hand_over(masters.start({}))
    with Load(program.address) as load:
        # gunicorn ignores USR2 until it has seen that the master before it is not its parent.
        wait_until(lambda: program.pid_in_file() == master.pid, "it has its pid file")
        program.write("v2")
        master.signal(SIGUSR2)
        new = wait_until(lambda: members.successor(SYSTEM, master, masters.server), "it re-execs")
        wait_until(lambda: program.answers("v2"), "the new release answers")
        new.signal(masters.server.graceful)
        wait_until(lambda: not new.alive(), "the new master has ended")
    assert load.failures == []
