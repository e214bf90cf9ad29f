"""Supervisor's own Subprocess, specialised: adoption, exits and stops, with real processes."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.process import Subprocess
from supervisor.states import ProcessStates

from supervisor_unicorn.driver import DriverSubprocess
from supervisor_unicorn.process import ManagedSubprocess

from .conftest import Site

MakeSite = Callable[..., Site]

PATIENT = "stopwaitsecs = 3600"  # what ends is not killed


def generations(site: Site) -> dict[int, int]:
    """The pids that printed their names, by generation."""
    if not (site.folder / "web.out").exists():
        return {}
    return {int(g): int(pid) for g, pid in re.findall(r"master (\d+) pid (\d+)", site.output)}


def running(site: Site) -> int:
    """Turn the loop until the first master runs, and return its pid."""
    site.turn_until(lambda: 1 in generations(site), "the first master runs")
    return site.web.pid


def re_executed(site: Site) -> tuple[int, int]:
    """Have the master re-execute itself; return both pids."""
    old = running(site)
    os.kill(old, signal.SIGUSR2)
    site.turn_until(lambda: 2 in generations(site), "the second master runs")
    return old, generations(site)[2]


def alive(pid: int) -> bool:
    """True if there is such a process, and it is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_only_what_is_named_is_specialised(make_site: MakeSite) -> None:
    """Other programs stay Supervisor's own Subprocess, as classes and as instances."""
    site = make_site()
    site.manage()
    groups = site.supervisord.process_groups
    assert type(groups["web"].processes["web"]) is ManagedSubprocess
    assert type(groups["plain"].processes["plain"]) is Subprocess
    assert type(groups["unicorn_handover"].processes["unicorn_handover"]) is DriverSubprocess
    assert site.web.group is groups["web"] and site.web.program.name == "web"


def test_a_group_that_is_added_later_is_specialised_too(make_site: MakeSite) -> None:
    """As `supervisorctl update` adds it; one that is removed is forgotten."""
    site = make_site()
    host = site.manage()
    (config,) = (c for c in site.options.process_group_configs if c.name == "web")
    assert site.supervisord.remove_process_group("web") and host.processes == {} == host.programs
    site.supervisord.add_process_group(config)
    assert host.processes == {"web": site.web} and type(site.web) is ManagedSubprocess


def test_the_successor_is_adopted(make_site: MakeSite) -> None:
    """The pid, the state, the log capture and the exit status become the new master's."""
    site = make_site()
    site.manage()
    old, new = re_executed(site)
    assert site.web.pid == old and site.web.state == ProcessStates.RUNNING
    began = site.web.laststart
    os.kill(old, signal.SIGQUIT)
    site.turn_until(lambda: site.web.pid == new, "the new master is adopted")
    assert site.web.state == ProcessStates.RUNNING and site.web.laststart >= began
    assert site.options.pidhistory == {
        new: site.web,
        **{p: x for p, x in site.options.pidhistory.items() if x is not site.web},
    }
    assert f"adopted: 'web' with pid {new}, successor of pid {old} (exit status 0)" in site.log
    os.kill(new, signal.SIGUSR2)
    site.turn_until(lambda: 3 in generations(site), "output is captured from the third")
    os.kill(new, signal.SIGKILL)
    third = generations(site)[3]
    site.turn_until(lambda: site.web.pid == third, "the third master is adopted")
    assert "(terminated by SIGKILL)" in site.log
    os.kill(third, signal.SIGTERM)
    site.turn_until(lambda: "exited: web (exit status 3; not expected)" in site.log, "it exits")


def test_an_exit_is_in_the_poll(make_site: MakeSite) -> None:
    """A master's exit is what supervisord's loop waits for, of the old and of an adopted one.

    It is looked at once: a pidfd stays readable, and must not turn the loop into a busy one.
    """
    site = make_site()
    site.manage()
    old, new = re_executed(site)
    for dying, next_pid in ((old, new), (new, 0)):
        pidfd = site.web._master.process.fileno()
        dispatcher = site.options.get_socket_map()[pidfd]
        assert dispatcher.readable() and not dispatcher.writable()
        os.kill(dying, signal.SIGKILL)
        assert select.select([pidfd], [], [], 30)[0]
        site.turn()
        assert site.web.pid == next_pid, site.log
        assert site.options.get_socket_map().get(pidfd) is not dispatcher


def pidfds() -> list[int]:
    """Those that this process has. Other files may be some earlier test's, closed late."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if "[pidfd]" in os.readlink(path):
                found.append(int(path.name))
    return found


def test_no_descriptor_is_lost_over_adoptions(make_site: MakeSite) -> None:
    """After each adoption there are as many pidfds, and as many in the poll, as before."""
    site = make_site()
    site.manage()
    running(site)
    counts = []
    for generation in (2, 3, 4):
        os.kill(site.web.pid, signal.SIGUSR2)
        site.turn_until(lambda g=generation: g in generations(site), "the next master runs")
        os.kill(site.web.pid, signal.SIGQUIT)
        pid = generations(site)[generation]
        site.turn_until(lambda p=pid: site.web.pid == p, "it is adopted")
        counts.append((len(pidfds()), len(site.options.get_socket_map())))
    assert len(set(counts)) == 1 and counts[0][0] >= 1, counts


def test_a_death_without_successor_is_supervisor_s_own(make_site: MakeSite) -> None:
    """The program has exited, and is started again as autorestart says."""
    site = make_site()
    site.manage()
    old = running(site)
    os.kill(old, signal.SIGKILL)
    site.turn_until(lambda: old != site.web.pid == generations(site)[1], "it is started again")
    assert "exited: web (terminated by SIGKILL; not expected)" in site.log
    os.kill(site.web.pid, signal.SIGQUIT)
    site.turn_until(lambda: site.web.state == ProcessStates.EXITED, "an expected exit stays one")
    assert site.web.pid == 0


@pytest.mark.parametrize("as_group", ["", "stopasgroup = true", "killasgroup = true"])
def test_stop_ends_both_masters(make_site: MakeSite, as_group: str) -> None:
    """In the middle of a handover stop signals the old and the new master."""
    site = make_site(web=f"{PATIENT}\n{as_group}")
    site.manage()
    old, new = re_executed(site)
    site.web.stop()
    site.turn_until(lambda: site.web.state == ProcessStates.STOPPED, "it is stopped")
    site.turn_until(lambda: not alive(old) and not alive(new), "both have ended")


@pytest.mark.parametrize("as_group", ["", "stopasgroup = true"])
def test_stop_ends_an_adopted_master(make_site: MakeSite, as_group: str) -> None:
    """It leads no process group, which Supervisor's own stopasgroup would signal."""
    site = make_site(web=f"{PATIENT}\n{as_group}")
    site.manage()
    old, new = re_executed(site)
    os.kill(old, signal.SIGQUIT)
    site.turn_until(lambda: site.web.pid == new, "the new master is adopted")
    site.web.stop()
    site.turn_until(lambda: site.web.state == ProcessStates.STOPPED, "it is stopped")
    assert not alive(new)


def test_kill_reaches_both_masters(make_site: MakeSite) -> None:
    """After stopwaitsecs, masters that do not end are killed."""
    site = make_site(web="stopwaitsecs = 1")
    site.manage()
    old, new = re_executed(site)
    for pid in (old, new):
        os.kill(pid, signal.SIGSTOP)
    site.web.stop()
    site.turn_until(lambda: site.web.state == ProcessStates.STOPPED, "it is stopped")
    site.turn_until(lambda: not alive(old) and not alive(new), "both have ended")


def test_an_error_of_ours_does_not_reach_supervisord(make_site: MakeSite) -> None:
    """What fails inside the plugin is logged, and the program is handled as Supervisor does."""
    site = make_site()
    host = site.manage()
    old = running(site)
    host.system.children = None  # every call raises TypeError
    os.kill(old, signal.SIGKILL)
    site.turn_until(lambda: site.web.pid not in (0, old), "it is started again")
    assert "supervisor_unicorn: " in site.log and "failed: TypeError" in site.log
    site.web.stop()
    site.turn_until(lambda: site.web.state == ProcessStates.STOPPED, "it is stopped")
