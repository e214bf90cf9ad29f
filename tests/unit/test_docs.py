"""What the documentation says of the tests is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/what-happens-when.md"

NAMED = re.findall(r"`([\w/]+\.py)`((?:(?:: |, )`\w+`)*)", PAGE.read_text())


@pytest.mark.parametrize(("file", "names"), NAMED, ids=[f"{f}{n}" for f, n in NAMED])
def test_each_fault_has_the_tests_that_its_row_names(file: str, names: str) -> None:
    """A test that was renamed or taken out leaves no promise behind."""
    root = ROOT if file.startswith("tests/") else ROOT / "tests/integration"
    text = (root / file).read_text()
    for name in re.findall(r"`(\w+)`", names):
        assert f"def test_{name}(" in text
