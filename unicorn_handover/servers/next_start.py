"""What is known about a program's next start, before there is one."""

from __future__ import annotations

from ..kernel.system import System
from .launch import Launch


class NextStart:
    """The next start of a server about which nothing is known.

    hangs: what to do if a trial does not end, "" if it is no matter. daemonised_by: the options by
    which it leaves its host.
    """

    hangs = ""
    daemonised_by: tuple[str, ...] = ()

    def trial(self, system: System, master: int, launch: Launch) -> tuple[str, ...]:
        """The argv of a command that finds the faults of a start; empty if there is none such.

        The command is run as the next master would be, beside the running one. It changes nothing.
        """
        return ()

    def fault(self, output: str, status: int) -> str:
        """The fault that a trial has found, by its output and exit status, "" if none."""
        return ""

    def pid_file(self, output: str) -> str | None:
        """The absolute path of the pid file, "" if there is none; None if a trial says nothing."""
        return None

    def outdated(self, system: System, master: int, launch: Launch) -> str:
        """The path of a file that was changed since a master read it and no re-exec reads anew.

        "" if there is none: else a start by the host is better.
        """
        return ""

    def goes_away(self, system: System, launch: Launch) -> str:
        """What sends a program that is started so into the background, and what to do.

        "" if nothing is known to.
        """
        options = [word for word in launch.command if word in self.daemonised_by]
        if not options:
            return ""
        return f"{options[0]} in its command sends it into the background; take that out"
