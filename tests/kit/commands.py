"""The hosts' commands, each in a process that is forked from one which has loaded them all.

A supervisorctl that is started anew costs a fifth of a second of processor time, nearly all of it
for imports, and the tests run more than a thousand commands. So it is with the hosts themselves.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from ..waiting import wait_until
from . import command_server
from .host import Outcome

PATIENCE = 60.0  # seconds for a command


def start(
    words: Sequence[str], directory: Path | None = None, seconds: float = PATIENCE
) -> Outcome:
    """Run any command in a directory, anew; its outputs are one."""
    began = time.monotonic()
    done = subprocess.run(
        words,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    return Outcome(done.stdout, done.returncode, time.monotonic() - began)


def tell_lines(words: Sequence[str], tell: Callable[[str], None]) -> int:
    """Run any command anew, telling each line as it is printed; return its exit status."""
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    ) as command:
        assert command.stdout
        for line in command.stdout:
            tell(line.rstrip())
        return command.wait()


class Commands:
    """The client of a server that starts with the first command, and ends with this process."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def run(
        self, words: Sequence[str], directory: Path | None = None, seconds: float = PATIENCE
    ) -> Outcome:
        """Run a command, a script of Python's, in a directory; its outputs are one.

        Raises OSError if it takes more seconds.
        """
        began = time.monotonic()
        with tempfile.TemporaryFile() as output:
            status = self._ask(
                [words, str(directory or Path.cwd()), dict(os.environ), False], output, seconds
            )
            output.seek(0)
            text = output.read().decode()
        return Outcome(text, status, time.monotonic() - began)

    def begin(
        self, words: Sequence[str], directory: Path, environ: Mapping[str, str], output: IO[bytes]
    ) -> int:
        """Start a daemon, a script of Python's, in a session of its own; return its pid."""
        return self._ask([words, str(directory), dict(environ), True], output, PATIENCE)

    def _ask(self, asked: list[object], output: IO[bytes], seconds: float) -> int:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                streams = [output.fileno(), theirs.fileno()]
                socket.send_fds(self._started(), [json.dumps(asked).encode()], streams)
            ours.settimeout(seconds)
            return int(ours.recv(16) or -1)  # nothing from one that was killed

    def _started(self) -> socket.socket:
        with self._starting:
            if self._channel is None:
                self._channel = self._start()
            return self._channel

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-I", command_server.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        return ours


_server = Commands()
run, begin = _server.run, _server.begin


def persist(refusal: str, words: Sequence[str], directory: Path, seconds: float) -> Outcome:
    """Run a command, again while it is refused with these words: the host is busy."""

    def taken() -> Outcome | None:
        outcome = run(words, directory, seconds)
        return None if refusal in outcome.text else outcome

    outcome = wait_until(taken, "the command is taken")
    assert outcome
    return outcome
