"""A restart runs what is deployed now, or says that it does not."""

from __future__ import annotations

import shutil
from pathlib import Path

from ...kit.load import Load
from ...kit.programs import Program
from ..conftest import MakeHost
from ..scenes import deploy


def test_a_restart_runs_what_is_deployed_now(
    make_host: MakeHost, folder: Path, server: str, loads: str
) -> None:
    """A release in a directory of its own, behind a link, serves after a restart, or it is told.

    The old release is gone from the disk by then, and once the new one is as well.
    """
    web = Program(folder, server=server, preload=loads == "preload")
    host = make_host(web)
    link = deploy(web, "v1")
    script = web.folder / "start.sh"
    words = web.command_line.replace(f"{web.folder}/config.ru", "config.ru")
    script.write_text(f"#!/bin/sh\ncd {link} && exec {words}\n")
    script.chmod(0o755)
    web.command = str(script)
    host.start()
    with Load(web.address) as load:
        for release in ("v2", "v3"):
            deploy(web, release, keep=False)
            outcome = host.restart("web")
            assert outcome.ok, outcome.text
            assert web.answers(release)
            last = host.wait_for_rest("web")
        shutil.rmtree(link.resolve())
        outcome = host.restart("web")
        assert not outcome.ok and str(link) in outcome.text
        assert host.wait_for_rest("web") == last
    assert load.failures == []
