"""How a host starts a program, as its configuration is now."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Launch:
    """What a program's section says of its start, and where the running program was started.

    section: its name without brackets, such as "program:web".
    key: what the host calls the directory, such as "working_dir".
    command: the argv of the command, empty if the host leaves it to a shell.
    directory: an absolute path, "" if the section names none.
    started_in: the real path that the directory had at the start, "" if that is not known.
    user, group: what it runs as, each a name or an id; None for the host's, or the user's group.
    environ: the variables that it gets and the host has not, or has with another value.
    """

    section: str = ""
    key: str = ""
    command: tuple[str, ...] = ()
    directory: str = ""
    started_in: str = ""
    user: int | str | None = None
    group: int | str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Launch:
        """Read what `vars` gave and JSON carried; what another version has besides is left out."""
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        return cls(**{**known, "command": tuple(known.get("command", ()))})


def words_of(command: str) -> tuple[str, ...]:
    """Split a command as both hosts do; none if it cannot be split."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return ()
