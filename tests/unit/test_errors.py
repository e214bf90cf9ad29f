"""Errors are one line for an operator, whatever text from outside is in them."""

from __future__ import annotations

import pytest

from unicorn_handover.errors import ConfigError, printable, raised


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


def test_an_unexpected_error_shows_where_it_was_raised() -> None:
    """Its type, its text and the innermost line: no trace follows in a host's log."""
    assert raised(ValueError("a\nb")) == r"ValueError: a\nb"
    try:
        printable(None)  # type: ignore[arg-type]
    except AttributeError as error:
        line = raised(error)
    assert line.startswith("AttributeError: ") and "(unicorn_handover/errors.py:" in line


def test_a_configuration_error_is_one_line() -> None:
    """Section, key, problem, fix."""
    error = ConfigError("s", "k", "is bad", "make it good")
    assert str(error) == "[s] k: is bad; make it good"
    assert (error.section, error.key) == ("s", "k")
