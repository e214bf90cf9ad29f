"""The request of the check, and which answers are good."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import printable
from ..model.check_options import headers_in, statuses_in
from ..model.deadlines import PATIENCE
from ..model.options import Options

CLOSE = {"Connection": "close"}


@dataclass(frozen=True)
class Answer:
    """The status of an answer, and where it redirects to, if it does."""

    status: int
    location: str

    def __str__(self) -> str:
        """Return it as an operator reads it."""
        to = f" to {printable(self.location, 100)}" if self.location else ""
        return f"answered {self.status}{to}"


class Request:
    """One GET. `options` are those of a program, of which `check` is an address."""

    def __init__(self, options: Options) -> None:
        self.address = options.check
        host = {"Host": options.check_host} if options.check_host else {}
        self._headers = {**headers_in(options.check_headers), **host, **CLOSE}
        self._accepted = statuses_in(options.check_status)

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the address. Raises OSError."""
        if self.address.startswith("unix:"):
            connection: http.client.HTTPConnection = _UnixConnection(self.address.split(":", 2)[1])
        else:
            connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE)
        connection.connect()
        return connection

    def send(self, connection: http.client.HTTPConnection) -> Answer:
        """Send the request and return the answer. Raises OSError or http.client.HTTPException."""
        connection.request("GET", self._target(), headers=self._headers)
        response = connection.getresponse()
        location = response.getheader("Location", "") if 300 <= response.status < 400 else ""
        return Answer(response.status, location)

    def accepts(self, answer: Answer) -> bool:
        """True if an answer is a good one."""
        return answer.status in self._accepted

    def _target(self) -> str:
        if self.address.startswith("unix:"):
            return self.address.split(":", 2)[2]
        return urlsplit(self.address)._replace(scheme="", netloc="").geturl() or "/"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
