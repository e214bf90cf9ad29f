"""Errors are one line for an operator, whatever text from outside is in them."""

from __future__ import annotations

import pytest

from unicorn_handover.errors import ConfigError, printable


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("plain", 200, "plain"),
        ("\x1b[31mé\n", 200, "\\x1b[31m\\xe9\\n"),
        ("x" * 10, 8, "xxxxx..."),
        ("", 5, ""),
    ],
)
def test_printable(text: str, limit: int, shown: str) -> None:
    """Text from outside cannot steer a terminal, nor fill a log."""
    assert printable(text, limit) == shown


def test_a_configuration_error_is_one_line() -> None:
    """Section, key, problem, fix."""
    error = ConfigError("s", "k", "is bad", "make it good")
    assert str(error) == "[s] k: is bad; make it good"
    assert (error.section, error.key) == ("s", "k")
