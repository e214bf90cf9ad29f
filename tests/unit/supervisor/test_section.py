"""A program's section outlives supervisord in a file, value by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from supervisor_unicorn.section import from_json, to_json

PLAIN = "command = /bin/cat"
CONF = """\
[supervisord]
identifier = one
childlogdir = {folder}

[program:web]
{keys}
"""
SECTIONS = [
    PLAIN,
    f"{PLAIN}\nautorestart = true",
    f"{PLAIN}\nautorestart = false\nexitcodes = 0,3\nstopsignal = QUIT",
    f"{PLAIN} -u\ndirectory = /\numask = 022\nuser = {0}\nredirect_stderr = true",
    f'{PLAIN}\nenvironment = A="1",B="%(program_name)s, \u00fc"\nserverurl = unix:///x',
    f"{PLAIN}\nstdout_logfile = NONE\nstderr_logfile = /dev/null\nstdout_logfile_maxbytes = 0",
    f"{PLAIN}\nstdout_logfile = syslog\nstopasgroup = true\npriority = 5",
]


def config(folder: Path, keys: str) -> Any:
    """The configuration of a program as supervisord has read it, with its logs."""
    path = folder / "supervisord.conf"
    path.write_text(CONF.format(folder=folder, keys=keys))
    options = ServerOptions()
    options.realize(["-n", "-s", "-c", str(path)])
    options.nocleanup = True
    (group,) = options.process_group_configs
    group.after_setuid()
    return group.process_configs[0]


@pytest.mark.parametrize("keys", SECTIONS)
def test_what_was_remembered_is_what_was(tmp_path: Path, keys: str) -> None:
    """No section is taken for another one, of whatever values it is."""
    known = json.loads(json.dumps(to_json(config(tmp_path, keys))))
    now = config(tmp_path, keys)
    assert from_json(now, known) is now
    for other in SECTIONS:
        if other != keys:
            now = config(tmp_path, other)
            then = from_json(now, known)
            assert then != now and to_json(then)["command"] == known["command"]
            assert then.stopsignal == known["stopsignal"] and then.options is now.options


@pytest.mark.parametrize(
    "values", [{"name": "other"}, {"autorestart": {"supervisor.datatypes": "Nothing"}}]
)
def test_nonsense(tmp_path: Path, values: dict[str, Any]) -> None:
    """It is an error, not a section."""
    now = config(tmp_path, PLAIN)
    with pytest.raises((ValueError, KeyError)):
        from_json(now, {**to_json(now), **values})
