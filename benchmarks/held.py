"""What a host pays for programs whose sockets it holds, while nothing happens."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from examples.demo.hosts import Host
from examples.demo.servers import App

from .idle import SETTLING, Cost, cost, spent

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
    "Supervisor": "[program:{name}]\ncommand = {command}\nstdout_logfile = NONE\n"
    "stderr_logfile = NONE\nstopsignal = QUIT\n\n",
    "Circus": "[watcher:{name}]\ncmd = {command}\ncopy_env = True\nstop_signal = QUIT\n\n",
}


def measure(
    host_kind: type[Host], app_kind: type[App], programs: int, seconds: float
) -> tuple[Cost, Cost]:
    """Run a host without and one with the plugin side by side, with so many programs each."""
    with ExitStack() as stack:
        hosts = []
        for managed in (False, True):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            app = app_kind(folder, workers=1)
            app.publish("1")
            hosts.append(stack.enter_context(_many(host_kind, programs)(folder, app, "", managed)))
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


def _many(kind: type[Host], programs: int) -> type[Host]:
    """A kind of host that has and, if it has the plugin, manages more programs than web."""

    class Many(kind):  # type: ignore[misc, valid-type]
        def configuration(self) -> str:
            names = [f"p{number}" for number in range(1, programs)]
            command = _stand_in(self.folder)
            section = SECTIONS[kind.name]
            self.sections = "".join(section.format(name=n, command=command) for n in names)
            key = "programs" if kind.name == "Supervisor" else "watchers"
            text: str = super().configuration()
            return text.replace(f"{key} = web\n", f"{key} = {','.join(['web', *names])}\n")

    return Many


def _stand_in(folder: Path) -> Path:
    script = folder / "unicorn"
    script.write_text(STAND_IN.format(perl=shutil.which("perl")))
    script.chmod(0o755)
    return script


def _wait_until_held(host: Host, programs: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (host.folder / "host.out").read_text(errors="replace").count("is held") >= programs:
            return
        time.sleep(0.2)
    print(f"not all of {programs} programs are held: {host.folder}")
