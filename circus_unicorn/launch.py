"""How circusd starts a watcher's process, by settings of it."""

from __future__ import annotations

import os

from circus.watcher import Watcher

from unicorn_handover.host.copies import Command
from unicorn_handover.servers import Launch, words_of

from .settings import Settings


def launch_by(watcher: Watcher, settings: Settings, started_in: str) -> Launch:
    """Describe a start by these settings to the driver; `started_in` is that of `Launch`."""
    env = settings["env"] or {}
    return Launch(
        section=f"watcher:{watcher.name}",
        key="working_dir",
        command=() if settings["shell"] else _words(settings),
        directory=os.path.abspath(settings["working_dir"]),
        started_in=started_in,
        user=settings["uid"],
        group=settings["gid"],
        environ={name: value for name, value in env.items() if os.environ.get(name) != value},
    )


def command_by(settings: Settings) -> Command:
    """Return the command of a start by these settings."""
    directory = os.path.abspath(settings["working_dir"])
    return Command(_words(settings), directory, settings["env"] or {})


def _words(settings: Settings) -> tuple[str, ...]:
    """The argv, which a shell may change."""
    args = settings["args"] or ()
    more = words_of(args) if isinstance(args, str) else args
    return (*words_of(settings["cmd"]), *more)
