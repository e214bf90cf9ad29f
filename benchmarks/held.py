"""What a host pays for programs whose sockets it holds, while nothing happens."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from tests.kit.host import Host
from tests.kit.running import folder, running

from .idle import SETTLING, Cost, cost, spent
from .restarts import application

SIZES = (1, 50, 200)  # programs
PATIENCE = 120.0  # seconds for all of them to be held

# What the plugin takes for a unicorn, in a megabyte: 200 of them are to fit in the memory.
STAND_IN = """\
#!{perl}
use Socket;
$SIG{{$_}} = sub {{}} for qw(TTOU WINCH USR1);
$SIG{{$_}} = sub {{ kill 'KILL', $worker; exit 0 }} for qw(QUIT TERM);
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die;
setsockopt($listener, SOL_SOCKET, SO_KEEPALIVE, 1) or die;
bind($listener, sockaddr_in(0, inet_aton('127.0.0.2'))) or die;
listen($listener, 16) or die;
if (!($worker = fork)) {{
    $SIG{{$_}} = 'DEFAULT' for qw(WINCH QUIT TERM);
    $0 = 'unicorn worker[0]';
    sleep 3600 while 1;
}}
$0 = 'unicorn master';
sleep 3600 while 1;
"""

SECTIONS = {  # of one more program
    "supervisor": "[program:{name}]\ncommand = {command}\nstdout_logfile = NONE\n"
    "stderr_logfile = NONE\nstopsignal = QUIT\n\n",
    "circus": "[watcher:{name}]\ncmd = {command}\ncopy_env = True\nstop_signal = QUIT\n\n",
}


def measure(host_kind: type[Host], server: str, programs: int, seconds: float) -> tuple[Cost, Cost]:
    """Run a host without and one with the plugin side by side, with so many programs each."""
    with ExitStack() as stack:
        hosts = []
        for managed in (False, True):
            path = stack.enter_context(folder())
            host = _many(host_kind, path, server, programs)
            host.plugin = host.plugin if managed else ""
            hosts.append(stack.enter_context(running(host)))
        _wait_until_held(hosts[1], programs)
        time.sleep(SETTLING)
        before = [spent(host) for host in hosts]
        time.sleep(seconds)
        after = [spent(host) for host in hosts]
        without, with_it = (cost(h, b, a, seconds) for h, b, a in zip(hosts, before, after))
        return without, with_it


def installed() -> bool:
    """True if the stand-in can run."""
    return shutil.which("perl") is not None


def _many(kind: type[Host], path: Path, server: str, programs: int) -> Host:
    """A host that has and, if it has the plugin, manages more programs than web."""
    names = [f"p{number}" for number in range(1, programs)]
    key = "programs" if kind.name == "supervisor" else "watchers"
    web = application(path, server, workers=1)
    host = kind(path, [web], {key: ",".join(["web", *names])})
    section, command = SECTIONS[kind.name], _stand_in(path)
    host.more = "".join(section.format(name=name, command=command) for name in names)
    return host


def _stand_in(folder: Path) -> Path:
    script = folder / "unicorn"
    script.write_text(STAND_IN.format(perl=shutil.which("perl")))
    script.chmod(0o755)
    return script


def _wait_until_held(host: Host, programs: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if host.host_log().count("is held") >= programs:
            return
        time.sleep(0.2)
    print(f"not all of {programs} programs are held: {host.folder}")
