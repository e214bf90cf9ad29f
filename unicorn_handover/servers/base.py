"""The interface of a server, and the proofs that servers share."""

from __future__ import annotations

import abc
import re
from collections.abc import Iterator, Mapping, Sequence
from signal import SIGTTIN, SIGTTOU, SIGUSR2, Signals
from typing import NamedTuple

from ..kernel.listeners import Listener
from ..kernel.system import System
from .configured import Configured, Need
from .launch import Launch
from .lines import Lines
from .next_start import NextStart

RE_EXEC = SIGUSR2  # fork, exec the same command, keep serving
ADD_WORKER = SIGTTIN
DROP_WORKER = SIGTTOU


class Addresses(NamedTuple):
    """What a command and its configuration file say of addresses.

    said: word for word, to be compared with what was said before: only the server knows what the
    words come to. fixed: the addresses, spelled as `Listener.name`, of a server whose master serves
    on the sockets alone that it was given; empty for any other server, or if they do not show.
    """

    said: list[str]
    fixed: list[str]


class Proof(abc.ABC):
    """Proves that a worker was in its accept loop, however short its life was."""

    @abc.abstractmethod
    def holds(self) -> bool:
        """True if it was ready at some time."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close what it holds."""


class Server(abc.ABC):
    """One server's signals, and the exact facts that prove who is who."""

    name: str
    lines: Lines  # how it writes, and its applications
    next_start = NextStart()
    graceful: Signals  # ends a master after its requests
    quick: Signals  # ends it now, cutting requests
    re_executes = True  # under a host that is its parent
    ignores_re_exec = False  # for a moment, so that it must be sent again
    quiesce: Signals | None = None  # ends the workers gracefully and keeps the master
    counts_workers = True  # ADD_WORKER and DROP_WORKER change their number
    fewest_workers = 0  # how many it keeps, whatever is dropped
    provisional = ""  # what its pid file's name ends in until the master before it is gone
    pid_file_suffixes: tuple[str, ...]  # of the pid files that must name no stranger at a re-exec
    promotes_itself = 0.0  # seconds until a new master has surely seen that the old one is gone
    listeners_outlive_exec = False  # all of them, and no other socket of a master
    unlinks_sockets = False  # a unix socket's name, at its end, unless a re-exec has begun
    leaves_names = False  # of the unix sockets that it was given, and binds none that is there
    unlinks_pid_file = False  # at its end, whatever the file holds

    @abc.abstractmethod
    def is_master(self, argv: Sequence[str]) -> bool:
        """True if a command line is that of this server's master."""

    @abc.abstractmethod
    def is_successor(self, system: System, pid: int, old: int) -> bool:
        """True if an exec'd process is the new master that the master `old` started."""

    def own_listeners(
        self, system: System, master: int, found: Sequence[Listener]
    ) -> list[Listener]:
        """Those of a master's listening sockets that it serves on, not the application's own.

        As a rule those that outlive an exec, which a server makes so for its own re-exec. Raises
        Refused if that does not show.
        """
        return [listener for listener in found if not listener.close_on_exec]

    @abc.abstractmethod
    def handed(self, numbers: Sequence[int], old: int) -> dict[str, str]:
        """The variables by which a master that starts takes the sockets of the master `old`.

        `numbers` are the descriptors that it will have them as.
        """

    @abc.abstractmethod
    def pid_files(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> list[str]:
        """The absolute paths at which a command, run in `directory`, may write its pid file.

        Only those that the command line and the configuration show plainly; the last one counts.
        """

    @abc.abstractmethod
    def addresses(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> Addresses:
        """What a command, run in `directory`, says of its addresses."""

    @abc.abstractmethod
    def configured(self, system: System, pid: int, launch: Launch) -> Configured:
        """The settings of a serving master, as far as they are visible."""

    @abc.abstractmethod
    def re_exec_needs(self, system: System, pid: int) -> Iterator[Need]:
        """What must still be there for a serving master's re-exec, as far as that can be seen."""

    @abc.abstractmethod
    def workers(self, system: System, master: int) -> dict[int, bool]:
        """Return the children of a master that are workers, and whether each is ready.

        A worker is what the server made one, not every child that the master has forked: an app or
        a hook may fork helpers. It is ready once it is in its accept loop, which no app can claim.
        """

    def proof_of(self, system: System, master: int, worker: int) -> Proof | None:
        """A proof, valid even after a worker's end, that it was ready; the caller closes it.

        None where nothing outlives a worker.
        """
        return None

    @abc.abstractmethod
    def is_booting(self, system: System, pid: int) -> bool:
        """True for a worker that is not ready yet, also for one whose master is gone."""

    def takes_for_running(self, system: System, master: int, pid: int) -> bool:
        """True if a master that finds `pid` in its pid file refuses to go on beside that process.

        It signals it with 0, and EPERM means that it runs (Pidfile.validate).
        """
        return system.stat(pid) is not None

    def orphan_ends_by(self, system: System, pid: int) -> Signals | None:
        """The signal that a worker needs to end, after its requests, when its master is dead.

        None for a process that is no worker of this server's, or ends by itself.
        """
        return None

    def has_handlers(self, system: System, pid: int) -> bool:
        """True if a master has set its signal handlers: none that it handles is lost from then."""
        return handlers_installed(system, pid)

    def accepts_signals(self, system: System, pid: int) -> bool:
        """True once a master has come to where it acts on signals."""
        return self.has_handlers(system, pid)

    def all_forked(self, system: System, pid: int) -> bool | None:
        """True once a master has started all its workers; None where it does not show."""
        return None

    def preloads(self, system: System, pid: int) -> bool:
        """True if it is certain that a master has its application in memory."""
        return False

    def is_exec_worker(self, system: System, pid: int) -> bool:
        """True for a worker that has exec'd since its fork."""
        return False

    def is_forked(self, system: System, pid: int) -> bool:
        """True for a worker: forked and never exec'd, or exec'd as a worker."""
        stat = system.stat(pid)
        return stat is not None and (stat.forked_only or self.is_exec_worker(system, pid))

    def forks(self, system: System, master: int) -> list[int]:
        """The living children that a master has forked, the eldest first."""
        found = []
        for pid in system.children(master):
            stat = system.stat(pid)
            if stat and not stat.ended and self.is_forked(system, pid):
                found.append(pid)
        return found


def is_exec_master(system: System, server: Server, pid: int) -> bool:
    """True for an exec'd process that is no worker."""
    stat = system.stat(pid)
    if stat is None or stat.ended or stat.forked_only:
        return False
    return not server.is_exec_worker(system, pid)


def is_renamed_successor(system: System, pid: int, old: int) -> bool:
    """True if an exec'd process, whose environment a title has overwritten, is a new master.

    It has a master's handlers and listens: while the master `old` lives, on a socket of its. The
    caller knows by another proof that both are of one program.
    """
    if not handlers_installed(system, pid):
        return False
    listening, theirs = system.listening_sockets(pid), system.sockets(old)
    return bool(listening & theirs if theirs else listening)


def runs(system: System, server: Server, pid: int) -> bool:
    """True if a process has the server's command line or, renamed, a master's handlers.

    A helper that a re-executed unicorn started has both the variable and the sockets: unicorn does
    not make inherited listeners close-on-exec again (measured).
    """
    return server.is_master(system.command_line(pid)) or handlers_installed(system, pid)


def handlers_installed(system: System, master: int) -> bool:
    """True if a master has set its signal handlers, that of TTOU after those that end it.

    unicorn: HttpServer#initialize, `@queue_sigs`; gunicorn: Arbiter.SIGNALS. A starting ruby has
    handlers for those that end it, but none for TTOU.
    """
    masks = system.signal_masks(master)
    return masks is not None and masks.catches(DROP_WORKER)


def title(system: System, pid: int) -> str:
    """What a process has written over its command line, "" if it has not.

    A title that is longer than the command line was, and any title of Python's setproctitle, is
    written over the environment as well, and nothing is left of that.
    """
    argv = system.command_line(pid)
    return argv[0] if len(argv) == 1 else ""


def values(argv: Sequence[str], short: str, *long: str) -> list[str]:
    """The values of one option in a command line: `-p X`, `-pX`, `--pid X` and `--pid=X`."""
    found = []
    for word, after in zip(argv, [*argv[1:], ""]):
        name, equals, value = word.partition("=")
        if word == short or word in long:
            found.append(after)
        elif name in long and equals:
            found.append(value)
        elif short and word.startswith(short) and not word.startswith("--"):
            found.append(word[len(short) :])
    return found


def literals(text: str, pattern: str) -> list[str]:
    """The plain strings that follow `pattern` at the beginning of a line of Ruby or Python.

    What is put together at run time is left out: only the language itself knows what it comes to.
    """
    found = re.findall(rf"^[ \t]*{pattern}([\"'])(.*?)\1", text, re.MULTILINE)
    return [value for _, value in found if "#{" not in value and "\\" not in value]
