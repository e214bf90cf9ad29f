"""The command `supervisor_unicorn`: the driver, as supervisord's event listener.

It speaks the event listener protocol on its standard input and output, though it is sent no event,
and with the host side on the socket that it inherits as fd 3. It may be killed at any moment: the
next one goes on with what it was doing.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence

from unicorn_handover import __version__
from unicorn_handover.driver.loop import DriverEnd, inherited_channel

READY = b"READY\n"
RESULT = b"RESULT 2\nOK"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="supervisor_unicorn",
        description="The driver of zero-downtime restarts; supervisord starts it as the command of "
        "[eventlistener:unicorn_handover].",
    )
    parser.add_argument(
        "--echo-conf",
        nargs="+",
        metavar="PROGRAM",
        help="print the sections for supervisord.conf that manage these programs, and end",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    chosen = parser.parse_args(arguments)
    if chosen.echo_conf:
        from .confecho import conf  # the driver needs none of it

        sys.stdout.write(conf(chosen.echo_conf))
        return 0
    channel = inherited_channel()
    if channel is None:
        print(
            "supervisor_unicorn: not started as an event listener of a supervisord that has an "
            "[rpcinterface:unicorn]; see `supervisor_unicorn --echo-conf`",
            file=sys.stderr,
        )
        return 2
    with channel:
        DriverEnd(channel, {0: Events().acknowledge}).run()
    return 0


class Events:
    """The event listener protocol on standard input and output (Supervisor's manual, "Events").

    The driver's own event is never sent; an operator may have subscribed it to others.
    """

    def __init__(self) -> None:
        self._waiting = b""
        os.write(1, READY)

    def acknowledge(self) -> bool:
        """Read what is there and answer every whole event; False at the end of the input."""
        data = os.read(0, 1 << 16)
        self._waiting += data
        while True:
            header, newline, rest = self._waiting.partition(b"\n")
            length = re.search(rb"\blen:(\d+)", header)
            if not newline or not length or len(rest) < int(length[1]):
                return bool(data)
            self._waiting = rest[int(length[1]) :]
            os.write(1, RESULT + READY)
