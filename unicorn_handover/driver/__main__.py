"""The driver process: drives handovers for the host at the other end of descriptor 3."""

from __future__ import annotations

import os
import socket
import sys

from ..model.orders import CHANNEL_FD
from .loop import DriverEnd


def main() -> int:
    """Drive handovers until the host closes its end; return the exit status."""
    try:
        os.set_inheritable(CHANNEL_FD, False)
        channel = socket.socket(fileno=CHANNEL_FD)
    except OSError:
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
