"""How a managed watcher ends: stopped, removed, or given back to Circus."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from ...kit.circus_host import DRIVER, CircusHost
from ...kit.processes import alive, kill, look
from ...kit.programs import Program
from ...waiting import Later, Watch, stays, wait_until
from ..scenes import held_request, reach


@pytest.mark.parametrize(
    ("how", "children"),
    [
        ("stop", "True"),
        ("stop", "False"),
        ("kill", "True"),
        ("kill", "False"),
        ("rm", "True"),
        ("quit", "False"),
        ("signal", "True"),
    ],
)
def test_an_end_in_mid_handover(host: CircusHost, web: Program, how: str, children: str) -> None:
    """Both masters end: by the stop signal or, where it is not heeded, by SIGKILL."""
    web.host_options.update({"stop_children": children, "graceful_timeout": "2"})
    host.start()
    old = host.master("web")
    web.write("v2", "gated")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "booting")
    first = host.family("web")
    if how == "quit":
        host.shutdown()
    elif how == "signal":
        assert host.signal("web", "TERM").ok
    else:
        assert host.ctl(how, "web", "--waiting").ok
    wait_until(lambda: not any(alive(found) for found in first), "the family has ended")
    web.open_gate()
    if how in ("signal", "kill"):
        assert host.wait_for_rest("web") != old  # it was not stopped, so Circus starts it again
    else:
        host.wait_for_nobody("web")


def test_stuck_masters_are_killed_in_mid_handover(host: CircusHost, web: Program) -> None:
    """After graceful_timeout the whole of both families is killed."""
    web.host_options["graceful_timeout"] = "1"
    host.start()
    web.write("v2", "gated")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "booting")
    for found in host.family("web"):
        kill(found, signal.SIGSTOP)
    assert host.ctl("stop", "web", "--waiting").ok
    host.wait_for_nobody("web")
    assert host.state("web") == "stopped"


def test_removed_while_others_look(host: CircusHost, web: Program) -> None:
    """A watcher is known until its last process has ended, though Circus shows it no more."""
    web.host_options["graceful_timeout"] = "2"
    host.start()
    reach(host, "booting")
    new = host.new_master("web")
    kill(new, signal.SIGSTOP)
    with Watch(lambda: host.ask("unicorn", do="status")):
        assert host.ctl("rm", "web", "--waiting").ok
    host.wait_for_nobody("web")
    assert "AttributeError" not in host.host_log() + host.output()


def test_given_back_to_circus(host: CircusHost, web: Program) -> None:
    """Without its plugin it is an ordinary watcher; removed without a stop it is nobody's."""
    host.circus = "check_delay = 1"
    host.more = "\n[watcher:other]\ncmd = sleep 1000\ncopy_env = True\n"
    host.start()
    old, other = host.master("web"), host.master("other")
    assert host.ctl("rm", DRIVER, "--waiting").ok
    kill(look(other))
    wait_until(lambda: host.master("other") not in (0, other), "Circus looks at its watchers")
    assert host.ctl("restart", "web", "--waiting").ok
    wait_until(lambda: host.at_rest("web"), "another master")
    assert host.master("web") != old
    assert "TypeError" not in host.host_log() + host.output()


def test_removed_without_a_stop(host: CircusHost) -> None:
    """Its master runs on, and is not replaced when it ends."""
    host.circus = "check_delay = 1"
    host.start()
    (old,) = host.masters("web")
    wait_until(lambda: time.time() - psutil.Process(old.pid).create_time() > 1.2, "no newcomer")
    assert host.call("rm", name="web", nostop=True)["status"] == "ok"
    assert alive(old)
    kill(old, signal.SIGQUIT)
    wait_until(lambda: not alive(old), "it has ended")
    stays(lambda: not host.masters("web"), "no master is started")


def test_a_plugin_removed_in_mid_handover(host: CircusHost, web: Program) -> None:
    """Without its plugin a watcher with two masters still knows both, and stop ends them."""
    web.host_options["graceful_timeout"] = "5"
    host.start()
    reach(host, "booting")
    assert host.ctl("rm", "plugin:unicorn", "--waiting").ok
    wait_until(lambda: not host.driver(), "the driver has gone")
    assert len(host.masters("web")) == 2 and web.answers("v1")
    # circusctl does not wait for a removal, and until its end Circus refuses other commands.
    wait_until(lambda: host.stop("web").ok, "it is stopped")
    host.wait_for_nobody("web")


def test_a_stop_behind_a_kill(host: CircusHost, web: Program) -> None:
    """It cuts no request either: both wait until the last one has been answered."""
    host.start()
    request = held_request(web)
    with Later(lambda: host.ctl("--timeout", "30", "kill", "web", "--waiting")):
        wait_until(lambda: len(host.workers("web")) < 2, "the master was told to quit")
        # Circus refuses it while it looks at its watchers.
        wait_until(lambda: host.ctl("stop", "web").ok, "the stop is under way")
        web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.state("web") == "stopped", "it is stopped")
    assert not host.family("web")
