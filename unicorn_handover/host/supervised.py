"""What a host's own object for a program does for the engine: all that a new host has to write."""

from __future__ import annotations

from typing import Any, Protocol

from ..servers import Launch
from .copies import Command
from .inheritance import Inheritance
from .loop import Call


class Supervised(Protocol):
    """The host's own object for a program: Supervisor's process, Circus's watcher."""

    @property
    def launch(self) -> Launch:
        """How the running master was started, by the section in force."""

    def command_in_force(self) -> Command:
        """How the host would start the program after a crash."""

    def remembered(self) -> dict[str, Any]:
        """What the next host needs to take the running program over, in plain types."""

    def adopt_if_dead(self) -> None:
        """If a master is dead, reap it now, and adopt its successor."""


class Starter(Protocol):
    """Starts a new master beside a program's running one, on a host that can do so."""

    def difference(self) -> str:
        """What the next master is to be that a re-exec of this one would not, "" if nothing."""

    def command(self) -> Command:
        """How the host would start the new master now."""

    @property
    def next_launch(self) -> Launch:
        """How the host would start the new master now, as the driver is to know it."""

    def start_beside(self, inheritance: Inheritance) -> tuple[int, Call]:
        """Start a master on these sockets, beside the running one. Raises Refused.

        It is a child of the host, the leader of a group of its own, with pipes of its own. It takes
        the old one's place when `Program.died` returns it. Return its pid, and what is called when
        it is remembered: it executes its command then, unless it has done so already.
        """

    def reap_beside(self) -> None:
        """Reap the new master, which has exited, if it is a child, and call `Beside.ended`."""
