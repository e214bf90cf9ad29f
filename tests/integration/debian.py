"""Debian's own supervisor with this project's Debian package, neither of them installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ..kit import commands
from ..kit.host import Outcome
from ..kit.programs import Program
from ..kit.supervisor_host import SupervisorHost

ROOT = Path(__file__).parents[2]
FETCHED = ROOT / ".venv" / "debian"  # by `scripts/setup debian`
SUPPLIED = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")

# Debian's Python, with the extracted packages before what is installed; as Debian's unit starts it.
RUN = """\
#!/bin/sh
export PYTHONPATH={root}/usr/lib/python3/dist-packages PATH={root}/usr/bin:/usr/bin:/bin
exec /usr/bin/python3 {root}/usr/bin/{name} {words}"$@"
"""
WORDS = {"supervisord": "-n ", "supervisorctl": "", "supervisor_unicorn": ""}


def build(folder: Path) -> Path:
    """Build the Debian package in a copy of the sources, or skip the test; return its path."""
    if not shutil.which("dpkg-buildpackage"):
        pytest.skip("dpkg-buildpackage is not installed; `scripts/setup debian` brings it")
    sources = shutil.copytree(ROOT, folder / "sources", ignore=SUPPLIED)
    lacking = subprocess.run(
        ["dpkg-checkbuilddeps"], cwd=sources, capture_output=True, text=True, timeout=60
    )
    if lacking.returncode:
        pytest.skip(f"`scripts/setup debian` brings it: {lacking.stderr.strip()}")
    done = subprocess.run(
        ["dpkg-buildpackage", "-us", "-uc", "-b"],
        cwd=sources,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    (package,) = folder.glob("unicorn-handover_*_all.deb")
    return package


def extract(root: Path, *packages: Path) -> None:
    """Unpack Debian packages into a folder."""
    for package in packages:
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True, timeout=60)


def supervisor() -> Path:
    """Debian's supervisor package; without it the test is skipped."""
    found = sorted(FETCHED.glob("supervisor_*.deb"))
    if not found:
        pytest.skip("Debian's supervisor is not there; `scripts/setup debian` fetches it")
    return found[-1]


class DebianSupervisorHost(SupervisorHost):
    """Debian's supervisord with Debian's configuration file, its programs in conf.d.

    The sections of the plugin are in the main file, as `supervisor_unicorn --echo-conf` prints
    them. `root` is the folder with the extracted packages.
    """

    is_forked = False  # it has a Python of its own

    def __init__(
        self, folder: Path, programs: Sequence[Program], options: Mapping[str, str], root: Path
    ) -> None:
        super().__init__(folder, programs, options)
        self.root = root
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, words in WORDS.items():
            (self.bin / name).write_text(RUN.format(root=root, name=name, words=words))
            (self.bin / name).chmod(0o755)

    def ctl(self, *words: str, seconds: float = 60) -> Outcome:
        """Run Debian's supervisorctl."""
        command = [str(self.bin / "supervisorctl"), "-c", str(self.conf), *words]
        return commands.start(command, self.folder, seconds)

    def write_conf(self) -> None:
        """Install as docs/install.md says."""
        conf = (self.root / "etc/supervisor/supervisord.conf").read_text()
        for folder in ("/var/run", "/var/log/supervisor", "/etc/supervisor"):
            conf = conf.replace(folder, str(self.folder))
        conf = conf.replace(f"{self.folder}/supervisor.sock", str(self.socket))
        self.conf.write_text(f"{conf}\n{self.echo_conf(*self.programs)}")
        (self.folder / "conf.d").mkdir()
        for name, program in self.programs.items():
            (self.folder / "conf.d" / f"{name}.conf").write_text(self._section(program))

    def echo_conf(self, *programs: str) -> str:
        """What `supervisor_unicorn --echo-conf` prints."""
        command = [str(self.bin / "supervisor_unicorn"), "--echo-conf", *programs]
        return subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, timeout=60
        ).stdout
