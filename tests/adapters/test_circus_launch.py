"""How the running master of a watcher was started, and how the next one would be."""

from __future__ import annotations

import os
from pathlib import Path

from .circusd import Make


def test_what_is_set_is_of_the_next_master(make_circusd: Make, tmp_path: Path) -> None:
    """The driver looks for the running one's files where that was started, with its arguments."""
    web = make_circusd().web
    before = web.launch
    web.set_opt("args", "--pid other")
    web.set_opt("working_dir", os.path.relpath(tmp_path))
    after = web.beside.next_launch
    assert web.launch == before and after.started_in == before.started_in
    assert after.command == (*before.command, "--pid", "other") and after.directory == str(tmp_path)
    command = web.command_in_force()
    assert (command.words, command.directory) == (after.command, after.directory)
    assert web.beside.command() == command
