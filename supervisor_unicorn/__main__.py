"""The command `supervisor_unicorn`, and what it says in a Python that has no Supervisor."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

MISSING = (
    "supervisor_unicorn: {python} has no Supervisor; install unicorn-handover in supervisord's own"
    " Python, which `head -1 $(command -v supervisord)` names, or both here: pip install"
    " 'unicorn-handover[supervisor]'"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit status: 1 if Supervisor is not installed beside it."""
    if find_spec("supervisor") is None:
        print(MISSING.format(python=sys.executable), file=sys.stderr)
        return 1
    from .eventlistener import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
