"""The command `circus_unicorn`, and what it says in a Python that has no Circus."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

MISSING = (
    "circus_unicorn: {python} has no Circus; install unicorn-handover in circusd's own Python,"
    " which `head -1 $(command -v circusd)` names, or both here: pip install"
    " 'unicorn-handover[circus]'"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit status: 1 if Circus is not installed beside it."""
    if find_spec("circus") is None:
        print(MISSING.format(python=sys.executable), file=sys.stderr)
        return 1
    from .command import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
