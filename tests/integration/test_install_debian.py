"""The Debian package, with Debian's supervisor, Python, psutil and unicorn."""

from __future__ import annotations

import os
import re
from pathlib import Path

from unicorn_handover import __version__

from ..kit.load import Load
from ..kit.programs import Program
from . import debian


def test_the_package_has_the_version_of_the_code() -> None:
    """debian/changelog begins with the version that the commands tell."""
    first = (debian.ROOT / "debian" / "changelog").read_text().splitlines()[0]
    assert re.fullmatch(rf"unicorn-handover \({re.escape(__version__)}\) .*", first)


def test_debians_supervisor_hands_over(folder: Path, tmp_path: Path) -> None:
    """Debian's supervisord loads the package, and a restart of Debian's unicorn fails no request.

    The sections are those that `--echo-conf` prints, at the end of Debian's configuration file,
    and the program's section is in conf.d.
    """
    root = folder / "root"
    debian.extract(root, debian.supervisor(), debian.build(tmp_path))
    web = Program(folder)
    host = debian.DebianSupervisorHost(folder, [web], {}, root)
    host.start()
    try:
        status = host.ctl("unicorn", "status")
        assert status.ok and re.fullmatch(rf"web +idle, pid {host.master('web')}\n", status.text)
        with Load(web.address) as load:
            web.write("v2")
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            host.wait_for_rest("web")
        assert load.failures == [] and load.releases() == {"v1", "v2"}
        assert os.readlink(f"/proc/{host.pid()}/exe").startswith("/usr/bin/python3")
    finally:
        host.shutdown()
