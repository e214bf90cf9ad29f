"""The driver process: drives handovers for the host at the other end of descriptor 3."""

from __future__ import annotations

import sys

from .loop import DriverEnd, inherited_channel


def main() -> int:
    """Drive handovers until the host closes its end; return the exit status."""
    channel = inherited_channel()
    if channel is None:
        print(
            "unicorn_handover.driver: is started by a host, with a socket as descriptor 3",
            file=sys.stderr,
        )
        return 2
    with channel:
        DriverEnd(channel).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
