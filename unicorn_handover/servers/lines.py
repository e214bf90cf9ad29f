"""Classifies the lines of a server and its applications by regular expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import Pattern

# One answered request: gunicorn's, uvicorn's, Rack::CommonLogger's, Apache's common and combined
# format; or an object of JSON that has a request's method and its status. A key is found by its
# end first: clients write values, and a long one is not searched again from each of its letters.
REQUEST = (
    r"\"[A-Z]{3,10} \S+( HTTP/[\d.]+)?\" [1-5]\d\d\b"
    r"|^\s*\{(?=.*\"(?=[\w.]+\"\s*:)[\w.]*(method|request))"
    r"(?=.*\"[\w.]*(status|code)\"\s*:\s*\"?[1-5]\d\d\b)"
)


@dataclass(frozen=True)
class Lines:
    """How one server writes, and the language of its applications.

    tag: marks a line with the pid of its writer, which stands for "{}".
    routine: the whole of a line that a server writes while nothing is wrong.
    access: a part of a line that reports one answered request.
    frame: the whole of a line of a back trace that does not hold its message; the group "path" is
    the source file's, where the line has one.
    library: a part of the path of a source file that is not the application's own.
    innermost_first: whether a back trace begins where the error was raised.
    taken: the refusal to start on a pid file that names a living master: its pid, the path.
    """

    tag: str
    routine: Pattern[str]
    access: Pattern[str]
    frame: Pattern[str]
    library: Pattern[str]
    innermost_first: bool
    taken: Pattern[str] = re.compile(r"(?!)")  # of a server that starts all the same
