"""The settings of nginx: its command line and the main part of its configuration file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..kernel.system import System
from .launch import Launch
from .next_start import NextStart

TITLE = "nginx: master process "  # with the command line behind it (ngx_master_process_cycle)
DEFAULT_FILE = "/etc/nginx/nginx.conf"  # of Debian's and of nginx.org's packages
COMMENT = re.compile(r"#.*")
STAMP = re.compile(  # before what an error log, or standard error, has to say
    r"^(nginx: |\d\S+ \d\S+ (?=\[))(\[(?P<level>\w+)\] )?(\d+#\d+: )?(?P<text>.*)$", re.M
)
BLOCK = re.compile(r"\{[^{}]*\}")  # one that holds no other


class NginxNextStart(NextStart):
    """nginx's own check of its configuration, and whether it stays in the foreground."""

    hangs = "see what it waits for, such as the look-up of a name"

    def trial(self, system: System, master: int, launch: Launch) -> tuple[str, ...]:
        """The program's own command with -t, without the lines of one that succeeds."""
        argv = command_of(launch.command)
        return (*argv, "-t", "-q") if argv else ()

    def fault(self, output: str, status: int) -> str:
        """The first error that keeps it from starting, without its time and pid."""
        found = [(line["level"], line["text"]) for line in STAMP.finditer(output)]
        errors = [text for level, text in found if level == "emerg"]
        if errors or status:
            return [*errors, *(text for _, text in found), f"exit status {status}"][0]
        return ""

    def goes_away(self, system: System, launch: Launch) -> str:
        """That nothing says `daemon off;`, neither the -g option nor the configuration file.

        As far as that can be seen: an include may say it, and so may a script.
        """
        if command_of(launch.command) is None:
            return ""
        settings = _Settings(system, launch.command, launch.directory)
        says = settings.directive("daemon") == "off" or settings.directive("include")
        if says or not settings.main_part:
            return ""
        return (
            f"neither [{launch.section}] nor the configuration of nginx says `daemon off;`, "
            "without which it goes into the background; write that"
        )


def command_of(argv: Sequence[str]) -> tuple[str, ...] | None:
    """The argv of a command that is nginx itself, or None; of a script nothing is known."""
    if argv and re.fullmatch(r"nginx(-debug)?|openresty", os.path.basename(argv[0])):
        return tuple(argv)
    return None


def pid_file(system: System, argv: Sequence[str], directory: str) -> str:
    """The absolute path of the pid file, "" if it does not show.

    A relative one lies in the prefix, which is compiled in if -p does not name it.
    """
    settings = _Settings(system, argv, directory)
    found = settings.directive("pid")
    return settings.in_prefix(found) if found else ""


class _Settings:
    """The options of a command line, of a title as well, and the file that they name.

    main_part: what stands in that file outside of all blocks, without comments.
    """

    def __init__(self, system: System, argv: Sequence[str], directory: str) -> None:
        self._argv = _split(argv[0]) if argv and argv[0].startswith(TITLE) else list(argv)
        self._directory = directory
        path = self.in_prefix(self.option("c") or DEFAULT_FILE)
        self.main_part = _without_blocks(system.text_of(path) if path else "")

    def option(self, letter: str) -> str:
        """The last value of an option, in a word of its own or not (ngx_get_options)."""
        found = ""
        for word, after in zip(self._argv, [*self._argv[1:], ""]):
            if word == f"-{letter}":
                found = after
            elif re.match(rf"-{letter}.", word):
                found = word[2:]
        return found

    def in_prefix(self, path: str) -> str:
        """The absolute path of a file that may lie in the prefix, "" where that is unknown."""
        prefix = self.option("p")
        if prefix or path.startswith("/"):
            return os.path.join(self._directory, prefix, path)
        return ""

    def directive(self, name: str) -> str:
        """The value of a directive in -g, or else in the main part of the file; "" if none."""
        for text in (self.option("g"), self.main_part):
            found = re.search(rf"(?:^|[;\s]){name}\s+([\"']?)([^\"';]+?)\1\s*(?:;|$)", text)
            if found:
                return found[2]
        return ""


def _without_blocks(text: str) -> str:
    text, left = COMMENT.sub("", text), ""
    while text != left:
        text, left = BLOCK.sub(";", text), text
    return text


def _split(title: str) -> list[str]:
    """The argv that a title shows, where -g may hold spaces."""
    parts = re.split(r" (?=-[a-zA-Z])", title[len(TITLE) :])
    return [word for part in parts for word in part.split(" ", 1)]
