"""What is known about a program's start before there is one."""

from __future__ import annotations

from ..kernel.system import System
from .launch import Launch


class Start:
    """The start of a server about which nothing is known.

    hangs: what to do if a trial does not end, "" if it is no matter.
    """

    hangs = ""

    def trial(self, system: System, master: int, launch: Launch) -> tuple[str, ...]:
        """The argv of a command that says of a program what a start would; empty if none does.

        It is run as the next master would be, beside the running one, and changes nothing.
        """
        return ()

    def fault(self, output: str, status: int) -> str:
        """What such a trial has found to be wrong, "" if nothing."""
        return ""

    def pid_file(self, output: str) -> str | None:
        """The absolute path of the pid file, "" if there is none; None if a trial says nothing."""
        return None

    def outdated(self, system: System, master: int, launch: Launch) -> str:
        """A file that was changed since a master read it, where a re-exec would not read it anew.

        Its path, "" if there is none: else a start by the host is better.
        """
        return ""

    def goes_away(self, system: System, launch: Launch) -> bool:
        """True if a program, started so, would leave its host and go into the background."""
        return False
