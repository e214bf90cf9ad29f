"""What differs between the servers: their signals, and the exact facts that prove who is who.

One row a server. The proofs were measured on unicorn 6.0.0 and 6.1.0 and gunicorn 20.1 to 27.0.1;
docs/design.md tells what each rests on.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from signal import SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH, Signals

from .system import System

RE_EXEC = SIGUSR2  # both servers: fork, exec the same command, keep serving
ADD_WORKER = SIGTTIN
DROP_WORKER = SIGTTOU


class Readiness(enum.Enum):
    """What one child of a master is."""

    NOT_A_WORKER = enum.auto()
    BOOTING = enum.auto()
    READY = enum.auto()


@dataclass(frozen=True)
class Server:
    """One server's signals and proofs.

    graceful: ends a master after its requests. quick: ends it now, cutting requests.
    ignores_re_exec: whether it may ignore RE_EXEC for a moment, so that it must be sent again.
    quiesce: ends the workers gracefully and keeps the master, or None where it cannot.
    fewest_workers: how many it keeps, whatever is dropped.
    is_master(words): whether a command line is this server's.
    is_successor(system, pid, old): whether an exec'd process is the new master that `old` started.
    readiness(system, pid): what a child of a master is.
    obeys(system, pid): whether a master has come to where it obeys signals.
    all_forked(system, pid): whether a master has started all its workers; None if unknowable.
    folder(system, pid): the directory that a master re-executes itself in, "" if unknowable.
    """

    name: str
    graceful: Signals
    quick: Signals
    ignores_re_exec: bool
    quiesce: Signals | None
    fewest_workers: int
    is_master: Callable[[Sequence[str]], bool]
    is_successor: Callable[[System, int, int], bool]
    readiness: Callable[[System, int], Readiness]
    obeys: Callable[[System, int], bool]
    all_forked: Callable[[System, int], bool | None]
    folder: Callable[[System, int], str]


def server_of(system: System, master: int, option: str) -> Server | None:
    """Return the server that the option names or, if it is "auto", the one that the master runs."""
    return SERVERS.get(option) or recognise(system.command_line(master))


def recognise(words: Sequence[str]) -> Server | None:
    """Return the server whose master has this command line, or None."""
    return next((server for server in SERVERS.values() if server.is_master(words)), None)


def hears(system: System, master: int) -> bool:
    """True if a master has set its signal handlers, that of TTOU after those that end it.

    unicorn: HttpServer#initialize, `@queue_sigs`; gunicorn: Arbiter.SIGNALS. A starting ruby has
    handlers for those that end it, but none for TTOU.
    """
    masks = system.signal_masks(master)
    return masks is not None and masks.catches(DROP_WORKER)


def is_any_successor(system: System, pid: int, old: int) -> bool:
    """True if `pid` is, by any server's proof, the new master that the master `old` re-executed."""
    return any(server.is_successor(system, pid, old) for server in SERVERS.values())


def is_forked(system: System, pid: int) -> bool:
    """True for a worker: forked and never exec'd, or exec'd by unicorn's `worker_exec`."""
    stat = system.stat(pid)
    return stat is not None and (stat.forked_only or _is_exec_worker(system, pid))


def _is_exec_worker(system: System, pid: int) -> bool:
    if "UNICORN_WORKER" in system.environ(pid):
        return True
    return re.match(r"\S+ worker\[\d+\]", _title(system, pid)) is not None


def _title(system: System, pid: int) -> str:
    """What a process has written over its command line, "" if it has not.

    A title that is longer than the command line was, and any title of Python's setproctitle, is
    written over the environment as well, and nothing is left of that.
    """
    words = system.command_line(pid)
    return words[0] if len(words) == 1 else ""


def _is_exec_master(system: System, pid: int) -> bool:
    """True for an exec'd process that is not a `worker_exec` worker."""
    stat = system.stat(pid)
    if stat is None or stat.ended or stat.forked_only:
        return False
    return not _is_exec_worker(system, pid)


def _holds_sockets(system: System, pid: int, listing: str) -> bool:
    """True if `listing`, "7,8", names sockets that are open in the process.

    Listeners are close-on-exec but for a re-exec, so a helper that a worker started may have the
    variable in its environment, but not the sockets.
    """
    numbers = [int(word) for word in listing.split(",") if word.isdigit()]
    return bool(numbers) and all(system.is_socket(pid, number) for number in numbers)


def _runs(system: System, pid: int, is_master: Callable[[Sequence[str]], bool]) -> bool:
    """True if a process has a server's command line or, under another name, a master's handlers.

    A helper that a re-executed unicorn started has both the variable and the sockets: unicorn does
    not make inherited listeners close-on-exec again (measured).
    """
    return is_master(system.command_line(pid)) or hears(system, pid)


def _unicorn_is_master(words: Sequence[str]) -> bool:
    # $0 is "unicorn master -c ..." once it serves, before that "ruby /usr/bin/unicorn -c ...".
    return any(
        re.fullmatch(r"(\S*/)?unicorn(_rails)?( .*)?", word, re.DOTALL) for word in words[:3]
    )


def _unicorn_is_successor(system: System, pid: int, old: int) -> bool:
    if not _is_exec_master(system, pid):
        return False
    environ = system.environ(pid)
    if not environ:  # written over
        return re.match(r"\S+ master", _title(system, pid)) is not None
    # HttpServer#reexec: ENV['UNICORN_FD'] = listener_fds.keys.join(',')
    holds_sockets = _holds_sockets(system, pid, environ.get("UNICORN_FD", ""))
    return holds_sockets and _runs(system, pid, _unicorn_is_master)


def _unicorn_readiness(system: System, pid: int) -> Readiness:
    # A worker ignores USR1 while its app loads and traps it when it enters its accept loop. Right
    # after the fork it still has the master's handlers, WINCH's among them.
    if not is_forked(system, pid):
        return Readiness.NOT_A_WORKER
    # One that was exec'd first has the handlers of a starting ruby, which traps USR1 as well. It
    # ignores USR1 when it writes its title.
    stat = system.stat(pid)
    if stat is None or not (stat.forked_only or _title(system, pid)):
        return Readiness.BOOTING
    masks = system.signal_masks(pid)
    if masks is None or not masks.catches(SIGUSR1) or masks.catches(SIGWINCH):
        return Readiness.BOOTING
    return Readiness.READY


def _unicorn_obeys(system: System, pid: int) -> bool:
    # It has its handlers before it loads the app, but looks at what they queued in #join.
    return hears(system, pid) and _unicorn_all_forked(system, pid)


def _unicorn_all_forked(system: System, pid: int) -> bool:
    # HttpServer#join writes the title after #start has forked every worker.
    return re.match(r"\S+ master", system.command_line(pid)[0]) is not None


def _unicorn_folder(system: System, pid: int) -> str:
    # `working_directory` takes the place of the directory that unicorn was started in (Configurator
    # #working_directory), and is often a link to the newest release, whatever became of the first.
    words = " ".join(system.command_line(pid)).split()
    files = [path for option, path in zip(words, words[1:]) if option in ("-c", "--config-file")]
    settings = system.text_of(files[-1]) if files and files[-1].startswith("/") else ""
    named = re.findall(r"^\s*working_directory\b[\s(]*(?:([\"'])(.*?)\1)?", settings, re.MULTILINE)
    if not named:
        return system.working_directory(pid)
    # Only ruby knows what anything but a plain absolute path comes to.
    path: str = named[-1][1]
    return path if path.startswith("/") and "#{" not in path else ""


def _gunicorn_folder(system: System, pid: int) -> str:
    return system.working_directory(pid)


def _gunicorn_is_master(words: Sequence[str]) -> bool:
    if words[:1] and words[0].startswith("gunicorn: master"):  # with setproctitle installed
        return True
    # `python -m gunicorn` re-executes itself as `python /.../gunicorn/__main__.py`.
    return any(re.search(r"(^|/)gunicorn([^/]*|/__main__\.py)$", word) for word in words[:4])


def _gunicorn_is_successor(system: System, pid: int, old: int) -> bool:
    # Arbiter.reexec names the old master, and its listeners' descriptors or, under socket
    # activation, the new one itself. Arbiter.start takes GUNICORN_FD out of the environment again,
    # so what the new one's workers start never has it, but what an app that is preloaded starts
    # has; what it names may be closed by then.
    if not _is_exec_master(system, pid):
        return False
    environ = system.environ(pid)
    if not environ:  # written over
        return _title(system, pid).startswith("gunicorn: master")
    if environ.get("GUNICORN_PID") != str(old):
        return False
    listens = "GUNICORN_FD" in environ or environ.get("LISTEN_PID") == str(pid)
    return listens and _runs(system, pid, _gunicorn_is_master)


def _gunicorn_readiness(system: System, pid: int) -> Readiness:
    # WorkerTmp: every worker holds an unlinked file whose time of change is the wall clock's until
    # the worker's loop first notifies, and CLOCK_MONOTONIC's from then on. Until a fresh worker has
    # closed its siblings' files it holds those as well: each must have been notified.
    if not is_forked(system, pid):
        return Readiness.NOT_A_WORKER
    times = [status.st_mtime for status in system.open_files(pid, "/wgunicorn-")]
    if not times:
        return Readiness.NOT_A_WORKER
    return Readiness.READY if max(times) <= system.clock() + 1 else Readiness.BOOTING


def _gunicorn_all_forked(system: System, pid: int) -> bool | None:
    return None


SERVERS = {
    "unicorn": Server(
        name="unicorn",
        graceful=SIGQUIT,
        quick=SIGTERM,
        ignores_re_exec=False,
        quiesce=SIGWINCH,
        fewest_workers=0,
        is_master=_unicorn_is_master,
        is_successor=_unicorn_is_successor,
        readiness=_unicorn_readiness,
        obeys=_unicorn_obeys,
        all_forked=_unicorn_all_forked,
        folder=_unicorn_folder,
    ),
    "gunicorn": Server(
        name="gunicorn",
        graceful=SIGTERM,
        quick=SIGQUIT,
        ignores_re_exec=True,  # until it has noticed, within 1 s, that the master before it is gone
        quiesce=None,  # it ignores WINCH unless it has daemonised, which no supervised program has
        fewest_workers=1,
        is_master=_gunicorn_is_master,
        is_successor=_gunicorn_is_successor,
        readiness=_gunicorn_readiness,
        obeys=hears,  # Arbiter.start sets them when the app is preloaded, and #run follows at once
        all_forked=_gunicorn_all_forked,
        folder=_gunicorn_folder,
    ),
}
