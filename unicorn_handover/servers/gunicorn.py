"""gunicorn 20.1 and later. Measured on 20.1 to 27.0.1; class and method names are its source's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from signal import SIGQUIT, SIGTERM, Signals

from ..kernel.system import System
from .base import (
    Addresses,
    Proof,
    Server,
    is_exec_master,
    is_renamed_successor,
    runs,
    title,
)
from .configured import Configured, Need
from .gunicorn_start import addresses, configured, pid_files, re_exec_needs
from .gunicorn_trial import GunicornNextStart
from .gunicorn_workers import (
    heartbeat_of,
    heartbeats,
    is_orphaned_worker,
    workers_among,
)
from .launch import Launch
from .lines import REQUEST, Lines


class Gunicorn(Server):
    """gunicorn, also as `python -m gunicorn`.

    It ignores USR2 until it has noticed, within 1 s, that the master before it is gone. It ignores
    WINCH unless it has daemonised, which no supervised program has. It accepts signals when
    Arbiter.start has set its handlers: the app is preloaded by then, and #run follows at once.
    Its control socket does not outlive an exec. With reuse_port its workers have the listeners.
    """

    name = "gunicorn"
    graceful = SIGTERM
    quick = SIGQUIT
    ignores_re_exec = True
    pid_file_suffixes = ("", ".2")
    promotes_itself = 1.5  # Arbiter.run checks its parent every second
    fewest_workers = 1
    next_start = GunicornNextStart()
    provisional = ".2"  # Arbiter.start, .maybe_promote_master
    listeners_outlive_exec = True  # BaseSocket.set_options makes them so, python no others
    unlinks_sockets = True  # Arbiter.stop
    lines = Lines(
        tag="[{}]",
        routine=re.compile(  # the second are its settings, at the level debug (Arbiter.start)
            r"\[[^]]+\] \[\d+\] \[(INFO|DEBUG)\] .*|  [a-z_]+: .*"
        ),
        access=re.compile(REQUEST),
        frame=re.compile(
            r"Traceback \(most recent call last\):"
            r"|During handling of the above exception, another exception occurred:"
            r"|The above exception was the direct cause of the following exception:"
            r"|  File \"(?P<path>[^\"]+)\", line \d.*"
            r"|  \[Previous line repeated .*"
            r"|    .*"
        ),
        library=re.compile(r"^<|/(site-packages|dist-packages|lib/python[\d.]*|bin)/"),
        innermost_first=False,
        taken=re.compile(  # Pidfile.create
            r"Already running on (?:PID )?(\d+) \(or pid file '(.+?)' is stale\)"
        ),
    )

    def is_master(self, argv: Sequence[str]) -> bool:
        """True for its command line or, with setproctitle installed, its title.

        `python -m gunicorn` re-executes itself as `python /.../gunicorn/__main__.py`.
        """
        if argv[:1] and argv[0].startswith("gunicorn: master"):
            return True
        return any(re.search(r"(^|/)gunicorn([^/]*|/__main__\.py)$", word) for word in argv[:4])

    def is_successor(self, system: System, pid: int, old: int) -> bool:
        """True if Arbiter.reexec has named the old master and the listeners to a process.

        Under socket activation it names the new master itself in place of listeners. Arbiter.start
        takes GUNICORN_FD out of the environment again, so what the new one's workers start never
        has it, but what a preloaded app starts has; what it names may be closed by then.
        """
        if not is_exec_master(system, self, pid):
            return False
        environ = system.environ(pid)
        if not environ:  # written over
            named = title(system, pid).startswith("gunicorn: master")
            return named or is_renamed_successor(system, pid, old)
        if environ.get("GUNICORN_PID") != str(old):
            return False
        listens = "GUNICORN_FD" in environ or environ.get("LISTEN_PID") == str(pid)
        return listens and runs(system, self, pid)

    def handed(self, numbers: Sequence[int], old: int) -> dict[str, str]:
        """GUNICORN_FD and GUNICORN_PID, as Arbiter.reexec sets them.

        The master that starts is not the child of GUNICORN_PID, so it promotes itself in its first
        loop (Arbiter.maybe_promote_master). Not LISTEN_FDS: one that was started by that moves its
        sockets to other numbers, and its own re-exec uses the old ones (measured on 20.1, 23
        and 27).
        """
        return {"GUNICORN_FD": ",".join(map(str, numbers)), "GUNICORN_PID": str(old)}

    def pid_files(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> list[str]:
        """-p or `pidfile`: see `gunicorn_start`."""
        return pid_files(system, argv, directory, environ)

    def addresses(
        self, system: System, argv: Sequence[str], directory: str, environ: Mapping[str, str]
    ) -> Addresses:
        """-b, else `bind`, else PORT: see `gunicorn_start`."""
        return addresses(system, argv, directory, environ)

    def configured(self, system: System, pid: int, launch: Launch) -> Configured:
        """What its command line and its configuration file say: see `gunicorn_start`."""
        return configured(system, pid, launch)

    def re_exec_needs(self, system: System, pid: int) -> Iterator[Need]:
        """sys.executable and sys.argv[0]: see `gunicorn_start`."""
        return re_exec_needs(system, pid)

    def workers(self, system: System, master: int) -> dict[int, bool]:
        """Known by the heartbeat files that the master has: see `gunicorn_workers`."""
        return workers_among(system, master, self.forks(system, master))

    def proof_of(self, system: System, master: int, worker: int) -> Proof | None:
        """Its heartbeat file."""
        return heartbeat_of(system, master, self.forks(system, master), worker)

    def is_booting(self, system: System, pid: int) -> bool:
        """True until each heartbeat file that the worker has was beaten."""
        return self.is_forked(system, pid) and False in heartbeats(system, pid).values()

    def orphan_ends_by(self, system: System, pid: int) -> Signals | None:
        """TERM: an idle worker misses its master only after half of `timeout`, with the port."""
        return self.graceful if is_orphaned_worker(system, pid) else None
