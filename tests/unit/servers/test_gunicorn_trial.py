"""The pid file of a gunicorn whose configuration computes its path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unicorn_handover.kernel.run import Run, ids_for
from unicorn_handover.servers import SERVERS, Launch

from ...waiting import wait_until
from ..fake_system import FakeSystem

GUNICORN = SERVERS["gunicorn"]
COMPUTED = "import os\npidfile = os.path.join('/run', 'web.pid')\n"
SCRIPT = ["/v/bin/python3", "/v/bin/gunicorn", "-c", "/g.py", "app"]


def words(settings: str, line: list[str], command: tuple[str, ...] = ()) -> list[str]:
    """What is run, without the python script, for a master with this command line."""
    system = FakeSystem()
    system.files["/g.py"] = settings
    system.files["/v/bin/gunicorn"] = "#!/v/bin/python3\nimport gunicorn\n"
    system.files["/v/bin/pyenv-gunicorn"] = "#!/bin/sh\nexec gunicorn\n"
    master = system.add(ppid=1, forked=False, words=line, cwd="/srv", environ={"PATH": "/bin"})
    launch = Launch("program:web", "directory", command, "/srv", "/srv")
    found = GUNICORN.next_start.trial(system, master.pid, launch)  # type: ignore[arg-type]
    return [word for word in found if "WSGIApplication" not in word]


@pytest.mark.parametrize(
    ("line", "command", "expected"),
    [
        (SCRIPT, (), ["/v/bin/python3", "-c", "-c", "/g.py", "app"]),
        (["python", "-m", "gunicorn", "-c", "/g.py"], (), ["python", "-c", "-c", "/g.py"]),
        (["python", "-O", "/v/gunicorn", "-c/g.py"], (), ["python", "-O", "-c", "-c/g.py"]),
        (["gunicorn: master [app]"], tuple(SCRIPT), ["/v/bin/python3", "-c", "-c", "/g.py", "app"]),
        (
            ["gunicorn: master [app]"],
            ("/v/bin/gunicorn", "-c", "/g.py"),
            ["/v/bin/python3", "-c", "-c", "/g.py"],
        ),
        (["gunicorn: master [app]"], ("/v/bin/pyenv-gunicorn", "-c", "/g.py"), []),
        (["gunicorn: master [app]"], ("prlimit", "/v/bin/gunicorn", "-c", "/g.py"), []),
        (["gunicorn: master [app]"], ("/srv/start.sh",), []),
    ],
)
def test_the_python_that_is_asked(
    line: list[str], command: tuple[str, ...], expected: list[str]
) -> None:
    """That of the running master; under a title that of the command, if it is one."""
    assert words(COMPUTED, line, command) == expected


@pytest.mark.parametrize("settings", ["pidfile = '/run/web.pid'\n", "workers = 2\n"])
def test_nothing_is_run_for_what_shows_plainly(settings: str) -> None:
    """A path that is written out, and a file that names none."""
    assert words(settings, SCRIPT) == []


def test_a_real_gunicorn_tells(tmp_path: Path) -> None:
    """Without its application, from a configuration that prints and is called gunicorn.py."""
    settings = f"import os\npidfile = os.path.join('run', 'web.pid')\nchdir = {str(tmp_path)!r}\n"
    (tmp_path / "gunicorn.py").write_text(f"{settings}print('pidfile=not this')\n")
    line = [sys.executable, "/v/gunicorn", "-c", str(tmp_path / "gunicorn.py"), "no.such:app"]
    system = FakeSystem()
    system.files[line[3]] = settings
    master = system.add(ppid=1, forked=False, words=line, cwd="/", environ={"PATH": "/bin"})
    found = GUNICORN.next_start.trial(system, master.pid, Launch())  # type: ignore[arg-type]
    run = Run(found, str(tmp_path), ids_for(None, None), {})
    wait_until(lambda: run.ended, "it has ended")
    output = run.output
    run.close()
    assert GUNICORN.next_start.pid_file(output) == f"{tmp_path}/run/web.pid", output
    assert GUNICORN.next_start.pid_file("Error: no such file\n") is None
    assert GUNICORN.next_start.fault(output, 1) == "" and GUNICORN.next_start.hangs == ""
