"""What a start on copied sockets costs the host's loop: the time until it has the copies."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from tests.kit.host import Host
from tests.kit.running import Failed, folder, running
from unicorn_handover.family.served import listening_numbers
from unicorn_handover.host.copies import Copies
from unicorn_handover.kernel.system import System
from unicorn_handover.servers import SERVERS

from .restarts import application

TIMES = 200
MANY = 2000  # files that a master has open
OPENS = {  # lines of the server's configuration, by which the master keeps files open
    "unicorn": """\
Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE)[1])
$opened = Array.new({number}) {{ File.open("/dev/null") }}
""",
    "gunicorn": """\
import builtins
import resource

most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
builtins.opened = [open("/dev/null") for _ in range({number})]
""",
}


def measure(host_kind: type[Host], server: str) -> Iterator[str]:
    """Take the copies of real masters' sockets TIMES times; yield a line for each kind of taking.

    In a handover the driver has searched the master's descriptors before. At a first start, and
    after a crash, the host does that itself when it is to hold them.
    """
    for files in (0, MANY):
        with folder() as path:
            web = application(path, server)
            web.settings = OPENS[server].format(number=files)
            web.write("v1")
            host = host_kind(path, [web], {})
            host.plugin = ""
            with running(host):
                yield from _lines(host, server, files)


def _lines(host: Host, name: str, files: int) -> Iterator[str]:
    system, server = System(), SERVERS[name]
    master = system.hold(host.master("web"))
    if master is None:
        raise Failed(f"{host.name} names no living master")
    known = listening_numbers(system, master)
    yield _described("in a handover", files, lambda: Copies(system, master, server, known))
    yield _described("at a first start", files, lambda: Copies(system, master, server))
    master.close()


def _described(what: str, files: int, take: Callable[[], Copies]) -> str:
    """One line: the middle one and the slowest."""
    milliseconds = [_once(take) for _ in range(TIMES)]
    middle, slowest = statistics.median(milliseconds), max(milliseconds)
    besides = f", {files:,} files open" if files else ""
    return f"copies {what}{besides}: {middle:.2f} ms, the slowest of {TIMES} {slowest:.2f} ms"


def _once(take: Callable[[], Copies]) -> float:
    began = time.perf_counter()
    copies = take()
    took = time.perf_counter() - began
    copies.close()
    return took * 1000
