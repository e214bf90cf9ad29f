"""unicorn 6.0 and later. Measured on 6.0.0 and 6.1.0; class and method names are its source's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from signal import SIGQUIT, SIGTERM, SIGUSR1, SIGWINCH

from ..kernel.system import System
from .base import Readiness, Server, handlers_installed, title


class Unicorn(Server):
    """unicorn and unicorn_rails."""

    name = "unicorn"
    graceful = SIGQUIT
    quick = SIGTERM
    quiesce = SIGWINCH

    def is_master(self, words: Sequence[str]) -> bool:
        """True for "ruby /usr/bin/unicorn -c ..." and, once it serves, "unicorn master -c ..."."""
        return any(
            re.fullmatch(r"(\S*/)?unicorn(_rails)?( .*)?", word, re.DOTALL) for word in words[:3]
        )

    def is_successor(self, system: System, pid: int, old: int) -> bool:
        """True if a process has the sockets that HttpServer#reexec names in UNICORN_FD."""
        if not self.is_exec_master(system, pid):
            return False
        environ = system.environ(pid)
        if not environ:  # written over
            return re.match(r"\S+ master", title(system, pid)) is not None
        return _holds_sockets(system, pid, environ.get("UNICORN_FD", "")) and self.runs(system, pid)

    def readiness(self, system: System, pid: int) -> Readiness:
        """Tell by USR1, which a worker ignores while its app loads and traps in its accept loop.

        Right after the fork it still has the master's handlers, WINCH's among them
        (HttpServer#init_worker_process, #worker_loop).
        """
        if not self.is_forked(system, pid):
            return Readiness.NOT_A_WORKER
        # One that was exec'd first has the handlers of a starting ruby, which traps USR1 as well.
        # It ignores USR1 when it writes its title.
        stat = system.stat(pid)
        if stat is None or not (stat.forked_only or title(system, pid)):
            return Readiness.BOOTING
        masks = system.signal_masks(pid)
        if masks is None or not masks.catches(SIGUSR1) or masks.catches(SIGWINCH):
            return Readiness.BOOTING
        return Readiness.READY

    def accepts_signals(self, system: System, pid: int) -> bool:
        """True once it is in #join: what its handlers queue before that, it looks at there."""
        return handlers_installed(system, pid) and _is_in_join(system, pid)

    def all_forked(self, system: System, pid: int) -> bool:
        """True once HttpServer#join has written the title: #start has forked every worker then."""
        return _is_in_join(system, pid)

    def directory(self, system: System, pid: int) -> str:
        """The directory of a re-exec: `working_directory` if set, else where unicorn was started.

        It is often a link to the newest release, whatever became of the first (Configurator
        #working_directory).
        """
        words = " ".join(system.command_line(pid)).split()
        files = [path for flag, path in zip(words, words[1:]) if flag in ("-c", "--config-file")]
        settings = system.text_of(files[-1]) if files and files[-1].startswith("/") else ""
        pattern = r"^\s*working_directory\b[\s(]*(?:([\"'])(.*?)\1)?"
        named = re.findall(pattern, settings, re.MULTILINE)
        if not named:
            return system.working_directory(pid)
        # Only ruby knows what anything but a plain absolute path comes to.
        path: str = named[-1][1]
        return path if path.startswith("/") and "#{" not in path else ""

    def is_exec_worker(self, system: System, pid: int) -> bool:
        """True for a worker of `worker_exec`, which #worker_spawn gives UNICORN_WORKER."""
        if "UNICORN_WORKER" in system.environ(pid):
            return True
        return re.match(r"\S+ worker\[\d+\]", title(system, pid)) is not None


def _is_in_join(system: System, pid: int) -> bool:
    return re.match(r"\S+ master", system.command_line(pid)[0]) is not None


def _holds_sockets(system: System, pid: int, listing: str) -> bool:
    """True if `listing`, "7,8", names sockets that are open in the process.

    Listeners are close-on-exec but for a re-exec, so a helper that a worker started may have the
    variable in its environment, but not the sockets.
    """
    numbers = [int(word) for word in listing.split(",") if word.isdigit()]
    return bool(numbers) and all(system.is_socket(pid, number) for number in numbers)
