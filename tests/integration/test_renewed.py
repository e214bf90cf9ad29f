"""What a master has that the host starts in a handover: all that its section says by now."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ..kit.circus_host import CircusHost
from ..kit.load import Load
from ..kit.processes import children
from ..kit.programs import UNICORN, Program
from ..kit.supervisor_host import SupervisorHost
from .conftest import MakeHost

NOBODY, NOGROUP = 65534, 65534
FILES = "700"  # open ones at most, which is below every default

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts others' programs")


def surroundings(master: int) -> dict[str, Any]:
    """What a process was given at its start; the environment is a worker's, where no title is."""
    proc = Path(f"/proc/{master}")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines())
    environ = Path(f"/proc/{children(master)[0].pid}/environ").read_bytes().split(b"\0")
    return {
        "interpreter": os.readlink(proc / "exe"),
        "words": (proc / "cmdline").read_bytes().rstrip(b"\0").decode(),
        "directory": os.readlink(proc / "cwd"),
        "umask": status["Umask"],
        "user": int(status["Uid"].split()[0]),
        "group": int(status["Gid"].split()[0]),
        "files": re.findall(r"Max open files +(\d+)", (proc / "limits").read_text()),
        "colour": [word.decode() for word in environ if word.startswith(b"COLOUR=")],
    }


def give_to_nobody(web: Program) -> tuple[Path, Path, Path]:
    """Let nobody run a program as it is; return another folder, interpreter and script for it."""
    folder = web.folder.parent
    folder.chmod(0o755)
    for path in (web.folder, *web.folder.iterdir()):
        os.chown(path, NOBODY, NOGROUP)
    there, ruby, script = folder / "there", folder / "ruby", folder / "a b" / "unicorn"
    there.mkdir()
    shutil.copy(os.path.realpath("/usr/bin/ruby"), ruby)
    script.parent.mkdir()
    script.symlink_to(UNICORN)
    return there, ruby, script


def test_on_supervisor(make_supervisor: MakeHost, folder: Path) -> None:
    """All is, by `update`; a command such as prlimit sets a program's own limits."""
    web = Program(folder)
    host = make_supervisor(web)
    assert isinstance(host, SupervisorHost)
    host.start()
    before = surroundings(host.master("web"))
    there, ruby, script = give_to_nobody(web)
    server = f"{ruby} '{script}' -E deployment -c {web.conf} {web.folder}/config.ru"
    web.command = f"prlimit --nofile={FILES} {server}"
    environment = f'COLOUR="blue",HOME="{there}"'
    keys = {"directory": str(there), "umask": "027", "user": "nobody", "environment": environment}
    web.host_options.update(keys)
    host.write_conf()
    with Load(web.address) as load:
        outcome = host.ctl("update")
    assert outcome.ok and load.failures == [], outcome.text
    after = surroundings(host.wait_for_rest("web"))
    assert [key for key in before if before[key] == after[key]] == []
    assert "-E deployment" in after.pop("words")
    assert after == {
        "interpreter": str(ruby),
        "directory": str(there),
        "umask": "0027",
        "user": NOBODY,
        "group": NOGROUP,
        "files": [FILES],
        "colour": ["COLOUR=blue"],
    }


@pytest.mark.parametrize("host_class", ["circus"], indirect=True)
def test_on_circus(make_host: MakeHost, folder: Path) -> None:
    """All but the umask is, by `reloadconfig`: Circus has one umask for all its watchers."""
    web = Program(folder, unix=True)
    host = make_host(web)
    assert isinstance(host, CircusHost)
    host.start()
    before = surroundings(host.master("web"))
    there, ruby, script = give_to_nobody(web)
    web.command = str(ruby)
    web.host_options.update(
        args=f"'{script}' -E deployment -c {web.conf} {web.folder}/config.ru",
        working_dir=str(there),
        uid="nobody",
        gid="nogroup",
        rlimit_nofile=FILES,
    )
    host.more = f"\n[env:web]\nCOLOUR = blue\nHOME = {there}\n"
    host.write_conf()
    with Load(web.address) as load:
        outcome = host.ctl("reloadconfig", "--waiting")
        assert outcome.ok, outcome.text
        after = surroundings(host.wait_for_rest("web"))
    assert load.failures == []
    assert [key for key in before if before[key] == after[key]] == ["umask"]
    assert "-E deployment" in after["words"]
    assert (after["interpreter"], after["directory"]) == (str(ruby), str(there))
    assert (after["user"], after["group"], after["files"]) == (NOBODY, NOGROUP, [FILES])
    assert after["colour"] == ["COLOUR=blue"]
