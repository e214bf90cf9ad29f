"""What the tests of the soak share."""

from __future__ import annotations

from ...kit.programs import Program

LONG = "3600"  # seconds of a soak that a test ends itself


def check_of(program: Program) -> str:
    """The option `check` that asks the program itself."""
    if program.unix:
        return f"unix:{program.address}:/"
    return f"http://127.0.0.1:{program.port}/"
