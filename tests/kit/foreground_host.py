"""A real `unicorn-handover run`, by itself or under a real runsv."""

from __future__ import annotations

import contextlib
import shlex
import signal
import time
from pathlib import Path
from typing import Any

from unicorn_handover.errors import Refused
from unicorn_handover.host.command_socket import ask

from ..waiting import LIMIT, wait_until
from . import commands
from .host import Host, Outcome
from .processes import Found, children, kill, living, look
from .programs import BIN, Program

COMMAND = f"{BIN}/unicorn-handover"
LOG = "run.log"


class ForegroundHost(Host):
    """One runner, the test's own child; its program is the only one.

    A program that the host is to restart is respawned.
    """

    name = "foreground"
    spawns = True

    @property
    def program(self) -> Program:
        """The program."""
        (program,) = self.programs.values()
        return program

    @property
    def control(self) -> str:
        """The path of the runner's socket."""
        return f"{self.folder}/ctl"

    @property
    def command_line(self) -> list[str]:
        """What runs the program."""
        given = [
            word
            for key, value in self.options.items()
            for word in (f"--{key.replace('_', '-')}", value)
        ]
        respawn = ["--respawn"] if self.program.restarted else []
        words = ["--control", self.control, "--name", self.program.name, *given, *respawn]
        return [COMMAND, "run", *words, "--", *shlex.split(self.program.command_line)]

    def launch(self) -> None:
        self.spawn(self.command_line, self.program.folder, LOG)
        wait_until(self.driver_is_there, "the driver is there")

    def family(self, name: str) -> list[Found]:
        """All living processes of the program: not the runner, its driver or who started it."""
        return [found for found in super().family(name) if not _is_host(found.pid)]

    def ask(self, command: str) -> dict[str, Any]:
        """A command's answer, {} if no runner answers."""
        with contextlib.suppress(Refused):
            return next(ask(self.control, {"do": command}))
        return {}

    def command(self, *words: str, seconds: float = 60) -> Outcome:
        """Run `unicorn-handover` as an operator does."""
        return commands.run(self.command_words(*words), seconds=seconds)

    def command_words(self, command: str, *rest: str) -> list[str]:
        """A command of `unicorn-handover` to this runner."""
        return [COMMAND, command, "--control", self.control, *rest]

    def pid(self) -> int:
        """The runner's pid, also where it has another one for itself."""
        if self.process is None or self.process.poll() is not None:
            return 0
        return children(self.process.pid)[0].pid if self.prefix else self.process.pid

    def runner(self) -> Found:
        """The runner, which lives."""
        return living(self.pid())

    def signal_runner(self, number: signal.Signals) -> None:
        """Send the runner a signal."""
        kill(self.runner(), number)

    def exit_status(self) -> int:
        """Wait for the runner's end and return its status, negative for a signal."""
        assert self.process
        return self.process.wait(LIMIT)

    def shutdown(self) -> None:
        if self.pid():
            self.signal_runner(signal.SIGTERM)
        self.exit_status()

    def restart_words(self, *names: str, wait: bool = True) -> list[str]:
        return self.command_words("restart", *(["--wait"] if wait else []))

    def restart(self, *names: str, wait: bool = True, seconds: float = 60) -> Outcome:
        return commands.run(self.restart_words(wait=wait), seconds=seconds)

    def state(self, name: str) -> str:
        return "running" if self.master(name) else "stopped"

    def master(self, name: str) -> int:
        """The master's pid as this test sees it: the runner may be in a pid namespace."""
        pid = int(self.ask("status").get("pid", 0))
        if not self.prefix or not pid:
            return pid
        return next((f.pid for f in children(self.pid()) if _pid_inside(f.pid) == pid), 0)

    def stop(self, name: str) -> Outcome:
        began = time.monotonic()
        self.shutdown()
        return Outcome("", 0, time.monotonic() - began)

    def begin(self, name: str) -> Outcome:
        self.launch()
        return Outcome("", 0, 0.0)

    def signal(self, name: str, number: str) -> Outcome:
        self.signal_runner(signal.Signals[f"SIG{number}"])
        return Outcome("", 0, 0.0)

    def log(self, name: str) -> str:
        return self.host_log()

    def host_log(self) -> str:
        """What the runner and the program wrote: they share one output."""
        return (self.folder / LOG).read_text(errors="replace")

    def status(self, name: str) -> dict[str, Any]:
        return self.ask("status")

    def phase(self, name: str) -> str:
        return str(self.ask("status").get("phase", ""))

    def ended(self, name: str) -> list[dict[str, object]]:
        return list(self.ask("status").get("ended", []))

    def rollback(self, name: str) -> Outcome:
        return self.command("rollback")

    def promote(self, name: str) -> Outcome:
        return self.command("promote")

    def following(self, name: str) -> int:
        return int(self.ask("status")["following"])

    def driver_is_there(self) -> bool:
        return bool(self.ask("status").get("driver"))

    def driver(self) -> int:
        return int(self.ask("status").get("driver", 0))

    def stop_driver(self) -> None:
        kill(living(self.driver()), signal.SIGSTOP)

    def begin_driver(self) -> None:
        kill(living(self.driver()), signal.SIGCONT)


class RunsvHost(ForegroundHost):
    """The runner as the service of a runsv, in runit's own words."""

    name = "runsv"
    before_exec = ""  # a line of `./run`

    @property
    def service(self) -> Path:
        """The service directory."""
        return self.folder / "service"

    def launch(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.write_service()
            self.spawn(["runsv", str(self.service)], self.program.folder, LOG)
        wait_until(self.driver_is_there, "the driver is there")

    def write_service(self) -> None:
        """Write `./run`, by the present options and the program's present command."""
        run = self.service / "run"
        self.service.mkdir(exist_ok=True)
        lines = ["#!/bin/sh", "exec 2>&1", f"cd {self.program.folder}", self.before_exec]
        run.write_text("\n".join([*lines, f"exec {shlex.join(self.command_line)}\n"]))
        run.chmod(0o755)

    def sv(self, *words: str) -> Outcome:
        """Run runit's own command."""
        return commands.start(["sv", *words, str(self.service)])

    def pid(self) -> int:
        """The runner's pid, as runsv knows it."""
        with contextlib.suppress(OSError, ValueError):
            found = look(int((self.service / "supervise/pid").read_text()))
            return found.pid if found else 0
        return 0

    def shutdown(self) -> None:
        self.sv("exit")
        self.exit_status()

    def stop(self, name: str) -> Outcome:
        return self.sv("-w", "20", "down")

    def begin(self, name: str) -> Outcome:
        return self.sv("up")


def _is_host(pid: int) -> bool:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"unicorn-handover\0" in words or b"unicorn_handover.driver" in words
    return False


def _pid_inside(pid: int) -> int:
    """The number of a process in its own pid namespace."""
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("NSpid")).split()[-1])
