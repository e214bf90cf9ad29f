"""What the documentation says of files and tests is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "unicorn_handover"
PAGE = ROOT / "docs/what-happens-when.md"

NAMED = re.findall(r"`([\w/]+\.py)`((?:(?:: |, )`\w+`)*)", PAGE.read_text())


@pytest.mark.parametrize(("file", "names"), NAMED, ids=[f"{f}{n}" for f, n in NAMED])
def test_each_fault_has_the_tests_that_its_row_names(file: str, names: str) -> None:
    """A test that was renamed or taken out leaves no promise behind."""
    root = ROOT if file.startswith("tests/") else ROOT / "tests/integration"
    text = (root / file).read_text()
    for name in re.findall(r"`(\w+)`", names):
        assert f"def test_{name}(" in text


def test_the_map_names_every_file_of_the_engine() -> None:
    """A newcomer finds each, but the kernel's, by a question; what is named is there."""
    table = re.findall(r"^\|.*\|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", row)}
    ours = [path for path in ENGINE.glob("**/*.py") if not path.name.startswith("_")]
    asked_for = {path.name for path in ours if path.parent != ENGINE / "kernel"}
    there = {path.name for path in [*ours, *(ROOT / "foreground_unicorn").glob("*.py")]}
    assert asked_for - named == set() and named - there == set()
