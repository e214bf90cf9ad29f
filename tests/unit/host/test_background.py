"""A server that goes into the background is told of, and its process's end explained."""

from __future__ import annotations

import pytest

from unicorn_handover.host.background import went_away
from unicorn_handover.servers import Launch

from ..fake_system import FakeSystem


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("/usr/bin/unicorn -D -c u.rb", "-D"),
        ("bundle exec unicorn --daemonize", "--daemonize"),
        ("/usr/bin/python3 /usr/bin/gunicorn app:app --daemon", "--daemon"),
        ("/usr/bin/gunicorn -D app:app", "-D"),
        ("/usr/bin/unicorn -c u.rb", ""),
        ("/usr/bin/true -D", ""),
    ],
)
def test_an_option_sends_it_away(command: str, option: str) -> None:
    """The option is named, and what to do."""
    line = went_away(FakeSystem(), Launch(command=tuple(command.split())))  # type: ignore[arg-type]
    told = f"its process has ended, and {option} in its command sends it into the background; take"
    assert line.startswith(told) if option else line == ""


@pytest.mark.parametrize(
    ("text", "goes"),
    [("daemon = True\n", True), ("daemon=False\n", False), ("# daemon = True", False)],
)
def test_its_configuration_sends_a_gunicorn_away(text: str, goes: bool) -> None:
    """The setting is named, and what to do."""
    system = FakeSystem()
    system.files["/srv/g.py"] = text
    launch = Launch(command=("gunicorn", "-c", "g.py", "app:app"), directory="/srv")
    line = went_away(system, launch)  # type: ignore[arg-type]
    told = "its process has ended, and daemon = True in its configuration sends it into"
    assert line.startswith(told) if goes else line == ""
