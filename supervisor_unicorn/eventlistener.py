"""The command `supervisor_unicorn`: the driver, as supervisord's event listener.

It speaks the event listener protocol on its standard input and output, though it is sent no event,
and with the host side on the socket that it inherits as fd 3. It may be killed at any moment: the
next one goes on with what it was doing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import socket
import stat
import sys
from collections.abc import Sequence

from unicorn_handover import __version__
from unicorn_handover.driver import Driver, Orders
from unicorn_handover.record import Record
from unicorn_handover.system import System

from .confecho import conf

CHANNEL_FD = 3
READY = b"READY\n"
RESULT = b"RESULT 2\nOK"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="supervisor_unicorn",
        description="The driver of zero-downtime restarts; supervisord starts it as the command of "
        "[eventlistener:unicorn].",
    )
    parser.add_argument(
        "--echo-conf",
        nargs="+",
        metavar="PROGRAM",
        help="print the sections for supervisord.conf that manage these programs, and end",
    )
    parser.add_argument("--version", action="version", version=__version__)
    chosen = parser.parse_args(arguments)
    if chosen.echo_conf:
        sys.stdout.write(conf(chosen.echo_conf))
        return 0
    channel = _channel()
    if channel is None:
        print(
            "supervisor_unicorn: not started as an event listener of a supervisord that has an "
            "[rpcinterface:unicorn]; see `supervisor_unicorn --echo-conf`",
            file=sys.stderr,
        )
        return 2
    with channel:
        Listener(channel).run()
    return 0


def _channel() -> socket.socket | None:
    try:
        if not stat.S_ISSOCK(os.fstat(CHANNEL_FD).st_mode):
            return None
        os.set_inheritable(CHANNEL_FD, False)
        return socket.socket(fileno=CHANNEL_FD)
    except OSError:
        return None


class Listener:
    """The driver between its two connections to supervisord."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._driver = Driver(System(), self._report)
        self._events = b""
        self._ended = False

    def run(self) -> None:
        """Drive handovers until supervisord closes the channel or standard input."""
        self._say({"driver": __version__})
        os.write(1, READY)
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(0, selectors.EVENT_READ)
            while not self._ended:
                self._driver.wait(selector)
                for key, _ in selector.select(0):
                    if key.fd == 0:
                        self._acknowledge_events()
                    else:
                        self._take_orders()
                self._driver.step()
        self._driver.close()

    def _report(self, record: Record) -> None:
        self._say({"record": record.to_json()})

    def _say(self, message: dict[str, object]) -> None:
        try:
            self._channel.send(json.dumps(message).encode())
        except OSError:  # supervisord is gone
            self._ended = True

    def _take_orders(self) -> None:
        """Follow the newest orders. Older ones are dropped: they may hold what was cancelled."""
        newest = b""
        while not self._ended:
            try:
                packet = self._channel.recv(1 << 20, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            newest = packet or newest
            self._ended = not packet
        if newest and not self._ended:
            self._driver.take(Orders.from_json(json.loads(newest)))

    def _acknowledge_events(self) -> None:
        """Answer whatever event an operator has subscribed this listener to besides its own."""
        data = os.read(0, 1 << 16)
        self._ended = self._ended or not data
        self._events += data
        while True:
            header, newline, rest = self._events.partition(b"\n")
            length = re.search(rb"\blen:(\d+)", header)
            if not newline or not length or len(rest) < int(length[1]):
                return
            self._events = rest[int(length[1]) :]
            os.write(1, RESULT + READY)
