"""What supervisord is told at start of programs that cannot all serve."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from supervisor_unicorn.startup import copies


@pytest.mark.parametrize(
    ("difference", "warned"),
    [
        ({}, 1),
        ({"command": "gunicorn -b :8001 app:app"}, 0),
        ({"environment": {"PORT": "8001"}}, 0),
        ({"directory": "/srv/1"}, 0),
    ],
    ids=["none", "command", "environment", "directory"],
)
def test_copies(difference: dict[str, object], warned: int) -> None:
    """Programs of one group that have one address; it may come of PORT or of the directory."""
    fields = {"command": "gunicorn app:app", "directory": None, "environment": {"PORT": "8000"}}
    first, second = (SimpleNamespace(name=f"web_{n}", **fields) for n in range(2))
    vars(second).update(difference)
    lines = copies("web", [first, second])
    assert len(lines) == warned
    assert all(line.startswith("web:web_0, web:web_1 run one and the same") for line in lines)
