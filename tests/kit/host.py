"""What the scenarios need of a host; `hosts` names its kinds."""

from __future__ import annotations

import abc
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..waiting import wait_until
from .processes import MARK, Found, children, living_in, look
from .programs import BEFORE_ORPHANS_END, Program


class Outcome(NamedTuple):
    """What the command line told: its text, exit status, and how long it took."""

    text: str
    status: int
    seconds: float

    @property
    def ok(self) -> bool:
        """True if the command said it succeeded."""
        return self.status == 0


class Host(abc.ABC):
    """A real host in a folder of its own, with its driver and programs.

    `options` are the keys and values of the plugin's section; all programs are managed, but for
    the names in `unmanaged`. All that is started has MARK = the folder in its environment.
    """

    section: str  # what a program's section of the configuration is called
    spawns: bool  # whether it can start a master beside the running one
    name: str
    directory: str  # the key for where a program is started
    patience: str  # the key for how long a stopped program may take until it is killed
    account: str  # the key for the user that a program runs as
    plugin = ""  # its sections of the configuration; without them all is the host's own
    more = ""  # other sections
    was_killed = False
    process: subprocess.Popen[bytes] | None = None  # what the test has started

    def __init__(
        self,
        folder: Path,
        programs: Sequence[Program],
        options: Mapping[str, str] | None = None,
        unmanaged: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.programs = {program.name: program for program in programs}
        self.options = dict(options or {})
        self.unmanaged = unmanaged
        self.mark = {MARK: str(folder)}
        self.prefix: list[str] = []  # of the command that starts the host

    # -- to be written for each host -------------------------------------------------------------

    @abc.abstractmethod
    def launch(self) -> None:
        """Start the host; return when it answers commands and its driver is there."""

    @abc.abstractmethod
    def pid(self) -> int:
        """The host's own pid, 0 if it does not run."""

    @abc.abstractmethod
    def shutdown(self) -> None:
        """Tell the host to end as an operator would; return when it has."""

    @abc.abstractmethod
    def restart_words(self, *names: str, wait: bool = True) -> list[str]:
        """The operator's restart command, with or without waiting for the end of the handover."""

    @abc.abstractmethod
    def restart(self, *names: str, wait: bool = True, seconds: float = 60) -> Outcome:
        """Run the operator's restart command."""

    @abc.abstractmethod
    def state(self, name: str) -> str:
        """The host's word for where a program is, in lower case: running, stopped, ..."""

    @abc.abstractmethod
    def master(self, name: str) -> int:
        """The pid that the host's status shows for a program, 0 if it shows none."""

    @abc.abstractmethod
    def stop(self, name: str) -> Outcome:
        """The operator's stop command."""

    @abc.abstractmethod
    def begin(self, name: str) -> Outcome:
        """The operator's command to start a stopped program."""

    @abc.abstractmethod
    def signal(self, name: str, number: str) -> Outcome:
        """The operator's command to signal a program ("HUP", "TTIN", ...)."""

    @abc.abstractmethod
    def log(self, name: str) -> str:
        """All that the host captured of a program's standard output and error."""

    @abc.abstractmethod
    def host_log(self) -> str:
        """The host's own log."""

    @abc.abstractmethod
    def status(self, name: str) -> dict[str, Any]:
        """The plugin's status of a program."""

    @abc.abstractmethod
    def phase(self, name: str) -> str:
        """The phase of a program's running handover, or "idle"."""

    @abc.abstractmethod
    def ended(self, name: str) -> list[dict[str, object]]:
        """The program's ended handovers: number, phase ("done", "failed") and reason of each."""

    @abc.abstractmethod
    def rollback(self, name: str) -> Outcome:
        """The operator's command to back a running handover out."""

    @abc.abstractmethod
    def promote(self, name: str) -> Outcome:
        """The operator's command to end a soak now."""

    @abc.abstractmethod
    def driver_is_there(self) -> bool:
        """True if a driver is ready."""

    @abc.abstractmethod
    def following(self, name: str) -> int:
        """The number of the handover that is to follow the running one, 0 if none is."""

    @abc.abstractmethod
    def driver(self) -> int:
        """The pid of the driver, 0 if it does not run."""

    @abc.abstractmethod
    def stop_driver(self) -> None:
        """Stop the driver as an operator would; it stays away."""

    @abc.abstractmethod
    def begin_driver(self) -> None:
        """Start the driver again; return when it is there."""

    def kill(self) -> None:
        """Kill the host alone, with SIGKILL; return when it is gone."""
        raise NotImplementedError

    def stop_without_waiting(self, name: str) -> None:
        """Begin to stop a program as by command; return at once."""
        raise NotImplementedError

    def leave(self, *names: str) -> Outcome:
        """The operator's command to leave programs running at the next end of the host."""
        raise NotImplementedError

    def end_and_start_again(self, way: str) -> None:
        """Tell the host to end, and start it again, or to begin anew ("reload")."""
        raise NotImplementedError

    # -- the same for all ------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        """The environment of all that is started."""
        return {**os.environ, **self.mark}

    def spawn(self, words: Sequence[str], directory: Path, output: str) -> None:
        """Start the process that the test is the parent of; what it writes goes to a file."""
        with open(self.folder / output, "ab") as file:
            self.process = subprocess.Popen(
                [*self.prefix, *words],
                cwd=directory,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the host and wait until every program answers with all its workers."""
        self.launch()
        for name, program in self.programs.items():
            wait_until(program.answers, f"{name} answers")
            wait_until(partial(self.at_rest, name), f"{name} has all its workers")

    def kill_and_start_again(self) -> None:
        """Kill the host alone, with SIGKILL, and start it again as before."""
        self.kill()
        self.was_killed = True
        self.launch()

    def family(self, name: str) -> list[Found]:
        """All living processes of a program."""
        return living_in(self.programs[name].folder)

    def masters(self, name: str) -> list[Found]:
        """The living masters of a program: what was exec'd, and not by a master as a worker."""
        family = self.family(name)
        return [found for found in family if not found.forked and not _is_exec_worker(found.pid)]

    def new_master(self, name: str) -> Found:
        """The master that is not the one which the host's status shows."""
        (new,) = (found for found in self.masters(name) if found.pid != self.master(name))
        return new

    def workers(self, name: str) -> list[Found]:
        """The workers of the master that the host's status shows."""
        return [f for f in children(self.master(name)) if f.forked or _is_exec_worker(f.pid)]

    def at_rest(self, name: str) -> bool:
        """True if the family is one master, known to the host and its child, and its workers.

        All workers have loaded the app, so a release may be put on the disk.
        """
        master = look(self.master(name))
        workers = self.workers(name) if master else []
        program = self.programs[name]
        if not master or not self._may_have(master) or len(workers) != program.workers:
            return False
        # With preload it is the master that has loaded the app.
        if not all(program.has_loaded(worker.pid, master.pid) for worker in workers):
            return False
        family = {found.pid for found in self.family(name)}
        return family == {master.pid, *(worker.pid for worker in workers)}

    def _may_have(self, master: Found) -> bool:
        """True if it is the host's child, or may be an earlier host's."""
        return self.was_killed or master.ppid == self.pid()

    def wait_for_rest(self, name: str) -> int:
        """Wait until one full family is left, and return its master."""
        wait_until(lambda: self.phase(name) == "idle", f"{name}'s handover has ended")
        wait_until(lambda: self.at_rest(name), f"{name} is one family")
        return self.master(name)

    def has_been(self, name: str, phase: str) -> bool:
        """True if a program's running, or else its last handover has come to a phase."""
        status = self.status(name)
        handover = status["running"] or status["ended"][-1]
        return phase in [handover["phase"], *(passed["phase"] for passed in handover["passed"])]

    def wait_for_nobody(self, name: str) -> None:
        """Wait until nothing is left of a program whose end was brought about."""
        wait_until(lambda: not self.family(name), f"nothing is left of {name}", BEFORE_ORPHANS_END)

    def wait_for_phase(self, name: str, phase: str) -> None:
        """Wait until a program's handover is in a phase."""
        wait_until(lambda: self.phase(name) == phase, f"{name} is {phase}")


def _is_exec_worker(pid: int) -> bool:
    # By its title as well, which may have been written over its environment.
    return b"UNICORN_WORKER=" in _read(pid, "environ") or b"worker[" in _read(pid, "cmdline")


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""
