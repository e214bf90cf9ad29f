"""nginx under `daemon off;`. Measured on 1.22.1, and read in 1.31; names are its source's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from signal import SIGQUIT, SIGTERM, Signals

from ..kernel.system import System
from .base import Addresses, Server, is_exec_master
from .configured import Configured, Need
from .launch import Launch
from .lines import REQUEST, Lines
from .nginx_start import NginxNextStart, command_of, pid_file

MASTER = "nginx: master process"
WORKER = "nginx: worker process"  # "... is shutting down" after a reload, or while it drains


class Nginx(Server):
    """nginx. A master takes sockets by NGINX, so that the host starts each new one itself.

    USR2 is nothing for it under a host: it ignores that while its parent is the one that started it
    (ngx_signal_handler), and so it does every signal that would count its workers. HUP reads the
    configuration anew, so nothing brings back workers that were signalled to quit, and none are.
    Its listeners outlive an exec (ngx_exec_new_binary).
    """

    name = "nginx"
    graceful = SIGQUIT
    quick = SIGTERM
    next_start = NginxNextStart()
    re_executes = False
    counts_workers = False
    pid_file_suffixes = ()
    unlinks_sockets = True  # ngx_close_listening_sockets, of one that was not given them by NGINX
    leaves_names = True  # ngx_close_listening_sockets, `inherited`; ngx_open_listening_sockets
    unlinks_pid_file = True  # ngx_delete_pidfile
    lines = Lines(
        tag="{}#",
        routine=re.compile(r"\S+ \S+ \[(debug|info|notice)\] \d+#\d+: .*"),
        access=re.compile(REQUEST),
        frame=re.compile(r"(?!)(?P<path>)"),  # it writes none
        library=re.compile(r"(?!)"),
        innermost_first=True,
    )

    def is_master(self, argv: Sequence[str]) -> bool:
        """True for its title, and for the command until that is set (ngx_master_process_cycle).

        Not for a worker's title: that begins in the same way.
        """
        if argv[:1] and argv[0].startswith("nginx: "):
            return argv[0].startswith(MASTER)
        return command_of(argv) is not None

    def is_successor(self, system: System, pid: int, old: int) -> bool:
        """True for another master that a USR2 by hand has started; the title is over its NGINX."""
        if not (is_exec_master(system, self, pid) and self.has_handlers(system, pid)):
            return False
        if system.stat(old) is None:
            return bool(system.listening_sockets(pid))
        return bool(system.listening_sockets(pid) & system.sockets(old))

    def handed(self, numbers: Sequence[int], old: int) -> dict[str, str]:
        """NGINX: what the configuration does not name is closed, what is new there is bound.

        ngx_add_inherited_sockets. It also keeps a master from going into the background.
        """
        return {"NGINX": "".join(f"{number};" for number in numbers)}

    def pid_files(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> list[str]:
        """`pid` in the -g option and in the main part of the configuration file."""
        found = pid_file(system, argv, directory)
        return [found] if found else []

    def addresses(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> Addresses:
        """Nothing that matters: of what it is given it keeps what its configuration names."""
        return Addresses([], [])

    def configured(self, system: System, pid: int, launch: Launch) -> Configured:
        """Only the pid file matters to a master that never re-executes itself."""
        argv, here = system.command_line(pid), system.working_directory(pid)
        return Configured("", True, pid_file(system, argv, here) or None)

    def re_exec_needs(self, system: System, pid: int) -> Iterator[Need]:
        """Nothing: see `re_executes`."""
        return iter(())

    def takes_for_running(self, system: System, master: int, pid: int) -> bool:
        """Never: it writes its pid file whatever that holds (ngx_create_pidfile)."""
        return False

    def workers(self, system: System, master: int) -> dict[int, bool]:
        """Known by the titles: a worker sets its own when it has run every init_process hook.

        Until then it has the master's, as the cache manager and the cache loader have.
        """
        titles = {pid: _title(system, pid) for pid in self.forks(system, master)}
        return {
            pid: title == WORKER
            for pid, title in titles.items()
            if title.startswith((WORKER, MASTER))
        }

    def is_booting(self, system: System, pid: int) -> bool:
        """True until a child of a master has a title of its own."""
        return self.is_forked(system, pid) and _title(system, pid).startswith(MASTER)

    def has_handlers(self, system: System, pid: int) -> bool:
        """True once a master has its title: ngx_init_signals comes before that.

        What is sent while it has signals blocked waits, and is handled.
        """
        if not _title(system, pid).startswith(MASTER):
            return False
        masks = system.signal_masks(pid)
        return masks is not None and masks.catches(SIGQUIT)

    def all_forked(self, system: System, pid: int) -> bool | None:
        """True once a master has its title and, after that, no signal blocked.

        It blocks them before the title is set, and waits in sigsuspend when it has forked all. The
        title is to be read first: before it, nothing is blocked yet.
        """
        if not _title(system, pid).startswith(MASTER):
            return False
        masks = system.signal_masks(pid)
        return masks is not None and not masks.blocked

    def orphan_ends_by(self, system: System, pid: int) -> Signals | None:
        """QUIT, also to a cache manager: they do not watch their parent, and serve on for ever."""
        return self.graceful if _title(system, pid).startswith("nginx: ") else None


def _title(system: System, pid: int) -> str:
    """What the command line begins with: ngx_setproctitle writes over it, and pads with zeros."""
    return system.command_line(pid)[0]
