"""What a unicorn's environment still has of files that have changed since.

HttpServer#reexec passes the environment on as it is: with what dotenv and Bundler have added to it,
which both then keep. They have added it to the master's where that loads the application, where the
configuration file calls them, and where `bundle exec` has started it.
"""

from __future__ import annotations

import os
import re

from ..kernel.system import System
from .launch import Launch
from .next_start import NextStart
from .unicorn_start import configured, settings

READ = re.compile(r"\.env(\.[\w-]+)*|Gemfile")  # by dotenv and by Bundler
SAMPLE = re.compile(r".*\.(example|sample|template|dist)")
BY_THE_MASTER = re.compile(r"^[ \t]*(preload_app\b[ \t(]*true|.*\b(dotenv|bundler)\b)", re.I | re.M)


class UnicornNextStart(NextStart):
    """What a re-exec of unicorn does not renew."""

    daemonised_by = ("-D", "--daemonize")

    def outdated(self, system: System, master: int, launch: Launch) -> str:
        """The path of a changed `.env` file or Gemfile in the directory of a re-exec.

        Whether the application reads that file is not known. If it does not, a start by the host
        does no harm.
        """
        directory, stat = configured(system, master, launch).directory, system.stat(master)
        if not directory or stat is None or not _has_read(system, master, launch):
            return ""
        names = sorted(filter(_is_read, system.names_in(directory)))
        paths = (os.path.join(directory, name) for name in names)
        return next((path for path in paths if system.changed(path) > stat.start), "")


def _is_read(name: str) -> bool:
    return bool(READ.fullmatch(name)) and not SAMPLE.fullmatch(name)


def _has_read(system: System, pid: int, launch: Launch) -> bool:
    """True if the master itself may have read such files."""
    if "bundle" in map(os.path.basename, launch.command[:1]):
        return True
    return bool(BY_THE_MASTER.search(settings(system, pid, launch)))
