"""What supervisord and circusd have in common: a file of sections, a log, a life of their own."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..waiting import LIMIT, wait_until
from . import commands
from .host import Host
from .processes import Found, alive, end, look
from .programs import Program


class DaemonHost(Host):
    """A daemon of many programs."""

    daemon_name: str  # "supervisord", as its files begin with
    conf_name: str
    found: Found | None = None  # the daemon, which may be no child of the test
    is_forked = False  # from a process that has loaded its modules, and not started anew

    @property
    def conf(self) -> Path:
        """The configuration file."""
        return self.folder / self.conf_name

    @abc.abstractmethod
    def configuration(self) -> str:
        """The configuration as the attributes say."""

    @abc.abstractmethod
    def keys(self, program: Program) -> dict[str, str]:
        """The keys and values of a program's section, but for its own `host_options`."""

    def write_conf(self) -> None:
        """Write the configuration as the attributes say; done by `launch`."""
        self.conf.write_text(self.configuration())

    def plugin_options(self, programs: str) -> str:
        """The lines of the plugin's section. programs: the key that names what it manages."""
        managed = [name for name in self.programs if name not in self.unmanaged]
        state = {"state": f"{self.folder}/state"}
        return lines({programs: ",".join(managed), **state, **self.options})

    def sections(self) -> str:
        """The sections of all programs, and what else there is."""
        return "\n".join(map(self._section, self.programs.values())) + self.more

    def _section(self, program: Program) -> str:
        keys = {**self.keys(program), **program.host_options}
        given = {key: value for key, value in keys.items() if value}
        return f"[{self.section}:{program.name}]\n{lines(given)}\n"

    def spawn(self, words: Sequence[str], directory: Path, output: str) -> None:
        if not self.is_forked or self.prefix:
            super().spawn(words, directory, output)
            assert self.process
            self.found = look(self.process.pid)
            return
        with open(self.folder / output, "ab") as file:
            self.found = look(commands.begin(words, directory, self.environ, file))

    def kill(self) -> None:
        assert self.found
        end(self.found)
        self.wait_for_end()

    def pid(self) -> int:
        return self.found.pid if self.found and alive(self.found) else 0

    def wait_for_end(self) -> None:
        """Wait until the daemon has ended."""
        wait_until(lambda: not self.pid(), f"{self.daemon_name} has ended")
        if self.process:
            self.process.wait(LIMIT)

    def output(self) -> str:
        """What the daemon wrote on its standard output and error."""
        return (self.folder / f"{self.daemon_name}.out").read_text()

    def host_log(self) -> str:
        return (self.folder / f"{self.daemon_name}.log").read_text()

    def log(self, name: str) -> str:
        paths = [self.folder / f"{name}.{kind}" for kind in ("out", "err")]
        return "".join(path.read_text() for path in paths if path.exists())


def lines(keys: Mapping[str, str]) -> str:
    """Keys and values as a configuration file has them."""
    return "\n".join(f"{key} = {value}" for key, value in keys.items())
