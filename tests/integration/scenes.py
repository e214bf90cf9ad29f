"""How a scenario brings a host to the moment that it is about."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from ..kit.circus_host import CircusHost
from ..kit.host import Host
from ..kit.load import Request
from ..kit.processes import kill, look
from ..kit.programs import Program
from ..waiting import LIMIT, Later, wait_until

# Hooks that run in the child between its fork and its exec: it waits for a file.
HOLD_EXEC = {
    "unicorn": """\
before_exec {{ |server| sleep 0.02 until File.exist?({gate!r}) }}
""",
    "gunicorn": """\
def pre_exec(server):
    import os, time
    while not os.path.exists({gate!r}):
        time.sleep(0.02)
""",
}

# It ends when the file is there, however often it is told to.
SLOW = """\
#!/bin/sh
trap 'until [ -e {gate} ]; do sleep 0.05; done; exit 0' TERM
while :; do sleep 0.05; done
"""


def holding_exec(program: Program) -> Program:
    """Let a program's re-exec wait for its gate, between fork and exec."""
    program.settings += HOLD_EXEC[program.server].format(gate=str(program.exec_gate))
    program.write("v1")
    return program


def slow_watcher(host: CircusHost) -> Path:
    """Add an ordinary watcher that takes its time to stop; return the file that lets it."""
    script, gate = host.folder / "slow.sh", host.folder / "slow-gate"
    script.write_text(SLOW.format(gate=gate))
    script.chmod(0o755)
    host.more += f"\n[watcher:slow]\ncmd = {script}\ngraceful_timeout = 60\ncopy_env = True\n"
    return gate


def without_regular_looks(host: Host) -> None:
    """Have circusd look at its processes so seldom that nothing a test waits for comes of that."""
    if isinstance(host, CircusHost):
        host.circus = f"check_delay = {10 * LIMIT:g}"


def hand_over(host: Host, name: str = "web", release: str = "v2") -> int:
    """Put a good release on the disk, restart, and return the adopted master."""
    host.programs[name].write(release)
    outcome = host.restart(name)
    assert outcome.ok, outcome.text
    assert host.programs[name].answers(release)
    return host.wait_for_rest(name)


def re_execute_by_hand(host: Host, name: str = "web") -> int:
    """USR2 as a deploy script sends it; return the new master once it has all its workers."""
    program, old = host.programs[name], host.master(name)
    before = len(host.family(name))
    kill(look(old), signal.SIGUSR2)
    wait_until(lambda: len(host.masters(name)) == 2, "there is a new master")
    wait_until(lambda: len(host.family(name)) >= before * 2, "it has forked all its workers")
    wait_until(lambda: _serves(program, old), "the new master serves")
    return host.new_master(name).pid


def _serves(program: Program, old: int) -> bool:
    answer = program.ask()
    return answer.outcome == "ok" and answer.number("master") != old


def held_request(program: Program) -> Request:
    """A request that keeps a worker busy until the gate is opened, and is under way."""
    program.answer.unlink(missing_ok=True)
    return program.request("/held")


def reach(host: Host, phase: str, name: str = "web", release: str = "v2") -> Request | None:
    """Begin a handover and bring it to a phase, in which it stays until the gate is opened.

    With exceptions: requested lasts until the driver, which is stopped, goes on or dies;
    removing lasts for a second, until the new master, which is stopped, is killed. re-executing
    needs a program made by `holding_exec`. draining returns the request that holds it up. soaking
    lasts as long as the option says.
    """
    program = host.programs[name]
    request = held_request(program) if phase == "draining" else None
    program.write(release, "gated" if phase in ("booting", "removing") else "good")
    if phase == "requested":
        kill(look(host.driver()), signal.SIGSTOP)
    outcome = host.restart(name, wait=False)
    assert outcome.ok, outcome.text
    if phase == "removing":
        _roll_back_a_stopped_master(host, name)
    else:
        host.wait_for_phase(name, phase)
    if phase == "booting":
        wait_until(lambda: program.began_to_load(release), "the release is read")
    return request


def _roll_back_a_stopped_master(host: Host, name: str) -> None:
    host.wait_for_phase(name, "booting")
    new = host.new_master(name)
    kill(new, signal.SIGSTOP)
    with Later(lambda: host.rollback(name)) as rollback:
        wait_until(lambda: host.has_been(name, "removing"), f"{name} is or was removing")
    assert rollback.result().ok


def deploy(web: Program, release: str, keep: bool = True) -> Path:
    """Put a release into a directory of its own, and have `current` lead there."""
    web.write(release)
    home, link = web.folder / "releases" / release, web.folder / "current"
    home.mkdir(parents=True)
    for file in ("config.ru", "app.py", "unicorn.rb"):
        if (web.folder / file).exists():
            shutil.copy(web.folder / file, home)
    before = link.resolve() if link.is_symlink() else None
    if before:
        link.unlink()
    link.symlink_to(home)
    if before and not keep:
        shutil.rmtree(before)
    return link


def when_held(host: Host, name: str = "web") -> int:
    """Wait until a program's sockets are held, and return its master."""
    wait_until(lambda: "is held" in host.host_log(), f"{name}'s sockets are held")
    return host.master(name)


def crash(host: Host, name: str = "web") -> int:
    """Kill a program's master, and return the one that serves in its place."""
    dead = host.master(name)
    os.kill(dead, signal.SIGKILL)
    return wait_until(lambda: next_master(host, name, dead), "another master serves")


def next_master(host: Host, name: str, dead: int) -> int:
    """The living master that has answered, 0 if it is none but the dead one."""
    program, master = host.programs[name], host.master(name)
    if master in (0, dead):
        return 0
    return master if program.ask().number("master") == master else 0
