"""Masters that start, end or hang at the wrong moment: one is adopted, or a new one started."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.processes import end, kill, look
from ...kit.programs import Program
from ...waiting import Later, wait_until
from ..conftest import PAIRS, MakeHost
from ..scenes import (
    hand_over,
    held_request,
    reach,
    without_regular_looks,
)

# As many apps have it: the first new worker ends the old master.
QUIT_OLDBIN = """\
before_fork do |server, worker|
  old = "#{server.config[:pid]}.oldbin"
  if File.exist?(old) && server.pid != old
    begin
      Process.kill(:QUIT, File.read(old).to_i)
    rescue Errno::ENOENT, Errno::ESRCH
    end
  end
end
"""


@PAIRS
def test_a_restart_out_of_a_crash_loop(make_host: MakeHost, folder: Path, server: str) -> None:
    """A release whose workers, or whose master, die again and again is left by a restart."""
    web = Program(folder, server=server, restarted=True)
    web.write("v1", "raises")
    host = make_host(web)
    host.launch()
    wait_until(lambda: "v1 is broken" in host.log("web"), "the release breaks")
    web.write("v2")
    wait_until(lambda: host.restart("web").ok, "a restart is taken")
    wait_until(lambda: web.answers("v2"), "the good release serves")
    host.wait_for_rest("web")


@PAIRS
@pytest.mark.parametrize("preload", [False, True], ids=["lazy", "preload"])
def test_a_restart_while_the_first_master_starts(
    make_host: MakeHost, folder: Path, server: str, preload: bool
) -> None:
    """It waits until the master obeys signals, which it would die of, or obey who knows when."""
    web = Program(folder, server=server, preload=preload)
    web.write("v1", "gated")
    host = make_host(web)
    host.launch()
    wait_until(lambda: host.state("web") == "running", "it counts as running")
    with Later(lambda: host.restart("web")) as restart:
        wait_until(lambda: host.phase("web") != "idle", "the handover has begun")
        wait_until(lambda: web.began_to_load("v1"), "it loads")
        web.open_gate()
    assert restart.result().ok, restart.result().text
    host.wait_for_rest("web")
    assert [end["phase"] for end in host.ended("web")] == ["done"]


@pytest.mark.parametrize(
    ("host_class", "preload"),
    [("supervisor", False), ("circus", True)],
    indirect=["host_class"],
    ids=["supervisor-lazy", "circus-preload"],
)
def test_an_app_that_ends_the_old_master(make_host: MakeHost, folder: Path, preload: bool) -> None:
    """An app that QUITs `.oldbin` before it forks makes a handover that succeeds."""
    web = Program(folder, preload=preload, settings=QUIT_OLDBIN)
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


@PAIRS
def test_the_old_master_is_killed_while_the_new_boots(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """If the old master is killed, the new one is adopted at once and the caller hears success."""
    # A gunicorn with a pid file ends itself if it looks at its killed master in the milliseconds
    # before the host has reaped that.
    unicorn = server == "unicorn"
    web = Program(folder, server=server, preload=unicorn, timeout=10, pidfile=unicorn)
    host = make_host(web)
    without_regular_looks(host)
    host.start()
    old = host.master("web")
    web.write("v2", "gated")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "booting")
    kill(look(old))
    wait_until(lambda: host.master("web") != old, "the new master is adopted")
    assert host.state("web") == "running"
    web.open_gate()
    host.wait_for_rest("web")
    assert host.ended("web")[-1]["phase"] == "done" and web.answers("v2")


@PAIRS
def test_the_new_master_dies_while_the_old_drains(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """With the old master told to quit already, the program is started again when it has ended."""
    web = Program(folder, server=server, timeout=30)
    host = make_host(web)
    host.start()
    old = host.master("web")
    request = reach(host, "draining")
    end(host.new_master("web"))
    web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.master("web") not in (0, old), "it was started again")
    host.wait_for_rest("web")
    assert web.answers("v2") and host.ended("web")[-1]["phase"] == "failed"
    hand_over(host, release="v3")


@PAIRS
def test_a_new_master_that_is_stuck_is_killed(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """A new master that obeys nothing is killed with its workers when its time is over."""
    web = Program(folder, server=server)
    host = make_host(web, options={"boot_timeout": "12"})
    host.start()
    old = host.master("web")
    reach(host, "booting")
    new = host.new_master("web")
    kill(new, signal.SIGSTOP)
    with Load(web.address) as load:
        assert host.wait_for_rest("web") == old
        assert host.ended("web")[-1]["phase"] == "failed"
        hand_over(host, release="v3")
    assert load.failures == []


@PAIRS
def test_a_new_master_that_comes_too_late(make_host: MakeHost, folder: Path, server: str) -> None:
    """A master that obeys USR2 when its handover was given up makes no second family."""
    web = Program(folder, server=server)
    host = make_host(web, options={"boot_timeout": "2"})
    host.start()
    old = look(host.master("web"))
    kill(old, signal.SIGSTOP)
    with Load(web.address) as load:
        outcome = host.restart("web")
        assert not outcome.ok and "no new master appeared in time" in outcome.text
        kill(old, signal.SIGCONT)
        obeyed = "re-executing" if server == "unicorn" else "Handling signal: usr2"
        wait_until(lambda: obeyed in host.log("web"), "the old master obeys")
        assert host.wait_for_rest("web") == old.pid
    assert load.failures == []


def test_the_old_master_dies_while_the_new_one_is_removed(
    make_host: MakeHost, folder: Path
) -> None:
    """The new one is the program until its last request has ended; then it is started again."""
    web = Program(folder, preload=True)  # by default Supervisor leaves one that ended well
    host = make_host(web, options={"soak": "100"})
    host.start()
    first = look(host.master("web"))
    reach(host, "soaking")
    new = host.new_master("web").pid
    wait_until(lambda: not host.workers("web"), "the old workers have gone")
    request = held_request(web)
    assert host.rollback("web").ok
    host.wait_for_phase("web", "removing")
    kill(first)
    wait_until(lambda: host.master("web") == new, "the new master is adopted")
    web.answer.touch()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.master("web") not in (0, new), "it is started anew")
    host.wait_for_rest("web")
    assert web.answers("v2")
