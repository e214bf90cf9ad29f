"""The settings of nginx: its command line and the main part of its configuration file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..kernel.system import System
from .launch import Launch
from .start import Start

TITLE = "nginx: master process "  # with the command line behind it (ngx_master_process_cycle)
DEFAULT_FILE = "/etc/nginx/nginx.conf"  # of Debian's and of nginx.org's packages
COMMENT = re.compile(r"#.*")
STAMP = re.compile(  # before what an error log, or standard error, has to say
    r"^(nginx: |\d\S+ \d\S+ (?=\[))(\[(?P<level>\w+)\] )?(\d+#\d+: )?(?P<text>.*)$", re.M
)
BLOCK = re.compile(r"\{[^{}]*\}")  # one that holds no other


class NginxStart(Start):
    """nginx's own check of its configuration, and whether it stays in the foreground."""

    def trial(self, launch: Launch) -> tuple[str, ...]:
        """The program's own command with -t, without the lines of one that succeeds."""
        words = command_of(launch.command)
        return (*words, "-t", "-q") if words else ()

    def fault(self, output: str, status: int) -> str:
        """The first error that keeps it from starting, without its time and pid."""
        found = [(line["level"], line["text"]) for line in STAMP.finditer(output)]
        errors = [text for level, text in found if level == "emerg"]
        if errors or status:
            return [*errors, *(text for _, text in found), f"exit status {status}"][0]
        return ""

    def goes_away(self, system: System, launch: Launch) -> bool:
        """True without `daemon off;` in the -g option or the configuration file."""
        return _goes_away(system, launch.command, launch.directory)


def command_of(words: Sequence[str]) -> tuple[str, ...] | None:
    """The words of a command that is nginx itself, or None; of a script nothing is known."""
    if words and re.fullmatch(r"nginx(-debug)?|openresty", os.path.basename(words[0])):
        return tuple(words)
    return None


def pid_file(system: System, words: Sequence[str], directory: str) -> str:
    """The absolute path of the pid file, "" if it does not show.

    A relative one lies in the prefix, which is compiled in if -p does not name it.
    """
    settings = _Settings(words, directory)
    found = settings.directive(system, "pid")
    return found if found.startswith("/") or not found else settings.in_prefix(found)


def _goes_away(system: System, words: Sequence[str], directory: str) -> bool:
    """True if nothing says `daemon off;`, as far as that can be seen; an include may say it."""
    settings = _Settings(words, directory)
    if command_of(words) is None or settings.directive(system, "daemon") == "off":
        return False
    return bool(settings.main_part(system)) and not settings.directive(system, "include")


class _Settings:
    """The options of a command line, of a title as well, and what they name."""

    def __init__(self, words: Sequence[str], directory: str) -> None:
        self._words = _split(words[0]) if words and words[0].startswith(TITLE) else list(words)
        self._directory = directory

    def option(self, letter: str) -> str:
        """The last value of an option, in a word of its own or not (ngx_get_options)."""
        found = ""
        for word, after in zip(self._words, [*self._words[1:], ""]):
            if word == f"-{letter}":
                found = after
            elif re.match(rf"-{letter}.", word):
                found = word[2:]
        return found

    def in_prefix(self, path: str) -> str:
        """The absolute path of what lies in the prefix, "" if that is the compiled one."""
        prefix = self.option("p")
        return os.path.join(self._directory, prefix, path) if prefix else ""

    def main_part(self, system: System) -> str:
        """What stands in the configuration file outside of all blocks, without comments."""
        file = self.option("c") or DEFAULT_FILE
        path = file if file.startswith("/") else self.in_prefix(file)
        text, left = COMMENT.sub("", system.text_of(path) if path else ""), None
        while text != left:
            text, left = BLOCK.sub(";", text), text
        return text

    def directive(self, system: System, name: str) -> str:
        """The value of a directive in -g, or else in the main part of the file; "" if none."""
        for text in (self.option("g"), self.main_part(system)):
            found = re.search(rf"(?:^|[;\s]){name}\s+([\"']?)([^\"';]+?)\1\s*(?:;|$)", text)
            if found:
                return found[2]
        return ""


def _split(title: str) -> list[str]:
    """The words of a command line that a title shows, where -g may hold spaces."""
    parts = re.split(r" (?=-[a-zA-Z])", title[len(TITLE) :])
    return [word for part in parts for word in part.split(" ", 1)]
