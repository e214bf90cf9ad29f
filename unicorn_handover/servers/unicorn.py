"""unicorn 6.0 and later. Measured on 6.0.0 and 6.1.0; class and method names are its source's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from signal import SIGQUIT, SIGTERM, SIGWINCH

from ..errors import Refused, printable
from ..kernel.listeners import Listener
from ..kernel.system import System
from .base import (
    Addresses,
    Server,
    handlers_installed,
    is_exec_master,
    is_renamed_successor,
    literals,
    runs,
    title,
    values,
)
from .configured import Configured, Need
from .launch import Launch
from .lines import REQUEST, Lines
from .unicorn_environment import UnicornNextStart
from .unicorn_preload import is_read_by_none, says_preload
from .unicorn_start import configuration, configured, re_exec_needs
from .unicorn_workers import (
    exec_worker_is_in_loop,
    has_worker_title,
    is_in_loop,
    tick_pages,
    workers_among,
)

RUBY_BACKLOG = 4096  # SOMAXCONN, of ruby's own TCPServer and UNIXServer; unicorn's default is 1024


class Unicorn(Server):
    """unicorn and unicorn_rails."""

    name = "unicorn"
    graceful = SIGQUIT
    quick = SIGTERM
    quiesce = SIGWINCH
    next_start = UnicornNextStart()
    pid_file_suffixes = (".oldbin",)
    lines = Lines(
        tag="#{}]",
        routine=re.compile(r"[ID], \[\S+ #\d+\] +(INFO|DEBUG) -- : .*"),  # Ruby's Logger
        access=re.compile(
            rf"{REQUEST}"
            r"|(^|\] |: )\s*(Started [A-Z]+ \"|Processing by \S+#|Parameters: \{"  # Rails
            r"|Completed [1-5]\d\d |Render(ed|ing) )"
            r"|^(?=.* status=[1-5]\d\d\b).*\bmethod=[A-Z]+ path="  # lograge
        ),
        frame=re.compile(r"\s*(from )?(?P<path>\S+):\d+:in [`'].*'"),
        library=re.compile(r"^<internal:|/(gems|rubygems|vendor_ruby|lib/ruby|bin)/"),
        innermost_first=True,
        taken=re.compile(r"Already running on PID:(\d+) \(or pid=(.+?) is stale\)"),  # #pid=
    )

    def is_master(self, argv: Sequence[str]) -> bool:
        """True for "ruby /usr/bin/unicorn", "ruby bundle exec unicorn", "unicorn master -c ..."."""
        return any(
            re.fullmatch(r"(\S*/)?unicorn(_rails)?( .*)?", word, re.DOTALL) for word in argv[:4]
        )

    def is_successor(self, system: System, pid: int, old: int) -> bool:
        """True if a process has the sockets that HttpServer#reexec names in UNICORN_FD."""
        if not is_exec_master(system, self, pid):
            return False
        environ = system.environ(pid)
        if not environ:  # written over
            named = re.match(r"\S+ master", title(system, pid)) is not None
            return named or is_renamed_successor(system, pid, old)
        return _holds_sockets(system, pid, environ.get("UNICORN_FD", "")) and runs(
            system, self, pid
        )

    def own_listeners(
        self, system: System, master: int, found: Sequence[Listener]
    ) -> list[Listener]:
        """Known by UNICORN_FD, and by the options that SocketHelper#set_server_sockopt sets.

        All are close-on-exec in the first generation, as the application's own are. TCP ones have
        SO_KEEPALIVE, a ruby's TCPServer has not. Unix ones show by their backlog, or are named.
        """
        named = _numbers(system.environ(master).get("UNICORN_FD", ""))
        own = [each for each in found if each.number in named or each.keep_alive]
        unix = [each for each in found if each.path and each not in own]
        own += [each for each in unix if self._shows(system, master, each)]
        unclear = [each for each in unix if each not in own]
        if own or len(unclear) < 2:
            return own or unclear
        paths = ", ".join(each.path for each in unclear)
        raise Refused(
            f"which of the sockets of pid {master} are unicorn's cannot be seen "
            f'({printable(paths)}); write `listen "/path"` plainly in its configuration file'
        )

    def handed(self, numbers: Sequence[int], old: int) -> dict[str, str]:
        """UNICORN_FD, as HttpServer#reexec sets it; #inherit_listeners! takes any numbers."""
        return {"UNICORN_FD": ",".join(map(str, numbers))}

    def pid_files(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> list[str]:
        """`pid "..."` in the configuration file, and the discouraged -P."""
        written = literals(configuration(system, argv, directory), r"pid\b[ \t(]*")
        found = [*values(argv, "-P", "--pid"), *written]
        return [os.path.join(directory, path) for path in found if path]

    def addresses(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> Addresses:
        """-l, -o and -p, and the lines of the configuration file that begin with `listen`.

        It binds those that it was not given (#bind_new_listeners!).
        """
        options = [*values(argv, "-l", "--listen"), *values(argv, "-o", "--host")]
        options += values(argv, "-p", "--port")
        settings = configuration(system, argv, directory)
        return Addresses([*options, *re.findall(r"^[ \t]*listen\b.*", settings, re.MULTILINE)], [])

    def workers(self, system: System, master: int) -> dict[int, bool]:
        """Known by the pipe and the title of each child, and by its tick: see `unicorn_workers`."""
        forks = self.forks(system, master)
        found = workers_among(system, master, forks, lambda pid: self._is_named(system, pid))
        pages = tick_pages(system, master)
        return {pid: self._is_in_loop(system, pid, pages) for pid in found}

    def is_booting(self, system: System, pid: int) -> bool:
        """True until the worker has a tick."""
        pages = system.shared_pages(pid)
        return self.is_forked(system, pid) and not self._is_in_loop(system, pid, pages)

    def _is_in_loop(self, system: System, pid: int, pages: Sequence[int]) -> bool:
        stat = system.stat(pid)
        if stat and not stat.forked_only:
            return exec_worker_is_in_loop(system, pid)
        return is_in_loop(system, pid, pages)

    def _is_named(self, system: System, pid: int) -> bool:
        return self.is_master(system.command_line(pid))

    def takes_for_running(self, system: System, master: int, pid: int) -> bool:
        """True as for HttpServer#valid_pid?: what it may not signal does not count."""
        may_signal = system.owner(master) in (0, system.owner(pid))
        return may_signal and system.stat(pid) is not None

    def accepts_signals(self, system: System, pid: int) -> bool:
        """True once it is in #join: it acts there on what its handlers have queued before."""
        return handlers_installed(system, pid) and self.all_forked(system, pid) is not False

    def all_forked(self, system: System, pid: int) -> bool | None:
        """True once HttpServer#join has written the title: #start has forked every worker then.

        None where a hook has set another one.
        """
        if re.match(r"\S+ master", system.command_line(pid)[0]):
            return True
        return None if title(system, pid) else False

    def preloads(self, system: System, pid: int) -> bool:
        """Known by workers that have read nothing, or by a file that says so: `unicorn_preload`."""
        ready = [worker for worker, is_ready in self.workers(system, pid).items() if is_ready]
        return is_read_by_none(system, ready) or says_preload(system, pid)

    def configured(self, system: System, pid: int, launch: Launch) -> Configured:
        """What its title and its configuration file say: see `unicorn_start`."""
        return configured(system, pid, launch)

    def re_exec_needs(self, system: System, pid: int) -> Iterator[Need]:
        """The script that it was started by, and what runs that: see `unicorn_start`."""
        return re_exec_needs(system, pid)

    def _shows(self, system: System, master: int, listener: Listener) -> bool:
        """True if a unix socket's name or backlog proves that unicorn made it, and not the app."""
        most = min(RUBY_BACKLOG, int(system.text_of("/proc/sys/net/core/somaxconn") or 0))
        settings = configuration(system, system.command_line(master), "")
        return os.path.basename(listener.path) in settings or listener.backlog != most

    def is_exec_worker(self, system: System, pid: int) -> bool:
        """True for a worker of `worker_exec`, which #worker_spawn gives UNICORN_WORKER."""
        if "UNICORN_WORKER" in system.environ(pid):
            return True
        return has_worker_title(system, pid)


def _holds_sockets(system: System, pid: int, listing: str) -> bool:
    """True if `listing`, "7,8", names sockets that are open in the process.

    Listeners are close-on-exec but for a re-exec, so a helper that a worker started may have the
    variable in its environment, but not the sockets.
    """
    numbers = _numbers(listing)
    return bool(numbers) and all(system.is_socket(pid, number) for number in numbers)


def _numbers(listing: str) -> list[int]:
    return [int(word) for word in listing.split(",") if word.isdigit()]
