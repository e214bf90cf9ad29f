"""The host is killed while no handover runs, and much happens before it is started again."""

from __future__ import annotations

import signal
from pathlib import Path

from ..kit.host import Host
from ..kit.load import Load
from ..kit.processes import alive, end, kill, look
from ..kit.programs import Program
from ..waiting import wait_until
from .conftest import CROSSED, ON_SUPERVISOR, PAIRS, MakeHost
from .scenes import hand_over, re_execute_by_hand, reach


def one_family(host: Host, name: str = "web") -> int:
    """Wait until the program runs as one family, and return its master."""
    wait_until(lambda: host.at_rest(name), f"{name} is one family")
    return host.master(name)


@PAIRS
def test_killed_twice(make_host: MakeHost, folder: Path, server: str) -> None:
    """A survivor's survivor is the same master; one of two that were adopted as well."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    adopted = hand_over(host)
    with Load(web.address) as load:
        for _ in range(2):
            host.kill_and_start_again()
            assert one_family(host) == adopted
        hand_over(host, release="v3")
        adopted = host.master("web")
        host.kill_and_start_again()
        assert one_family(host) == adopted
    assert not load.failures


@CROSSED
def test_the_master_is_killed_as_well(make_host: MakeHost, folder: Path, server: str) -> None:
    """What it has left is ended, and the program is started again, once."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    master = look(host.master("web"))
    host.kill()
    end(master)
    host.was_killed = True
    host.launch()
    assert one_family(host) != master.pid
    assert "ended while no host was there" in host.host_log()
    hand_over(host)


@PAIRS
def test_a_re_exec_by_hand_meanwhile(make_host: MakeHost, folder: Path, server: str) -> None:
    """The master was handed over without a host: the new one is the program's."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    old = look(host.master("web"))
    with Load(web.address) as load:
        new = re_execute_by_hand(host)
        host.kill()
        kill(old, signal.Signals[f"SIG{web.stopsignal}"])
        wait_until(lambda: not alive(old), "the old one has ended")
        host.was_killed = True
        host.launch()
        wait_until(lambda: host.master("web") == new, "it is taken over")
    assert not load.failures
    wait_until(lambda: {f.pid for f in host.masters("web")} == {new}, "one family is left")
    hand_over(host, release="v3")


def test_stopped_programs_stay_stopped(make_host: MakeHost, folder: Path) -> None:
    """Nothing that was stopped by command is started; it starts by command, and then is known."""
    web, other = Program(folder), Program(folder, name="other", server="gunicorn")
    host = make_host(web, other)
    host.start()
    assert host.stop("web").ok
    host.wait_for_nobody("web")
    for _ in range(2):
        host.kill_and_start_again()
        one_family(host, "other")
        assert host.state("web") == "stopped" and not host.family("web")
    assert "it was stopped by command" in host.host_log()
    assert host.begin("web").ok
    master = one_family(host)
    host.kill_and_start_again()
    assert one_family(host) == master


def test_a_stop_goes_on(make_host: MakeHost, folder: Path) -> None:
    """What was being stopped is stopped, though a request kept it from ending."""
    web = Program(folder, server="gunicorn")
    host = make_host(web)
    host.start()
    request = web.request("/held")
    host.stop_without_waiting("web")
    wait_until(lambda: host.state("web") == "stopping", "it is being stopped")
    host.kill_and_start_again()
    wait_until(lambda: host.state("web") == "stopping", "it still is")
    web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.state("web") == "stopped", "it is stopped")
    host.wait_for_nobody("web")


@PAIRS
def test_one_that_boots_is_not_doubled(make_host: MakeHost, folder: Path, server: str) -> None:
    """A master that loads its application is taken over, and boots to the end."""
    web = Program(folder, server=server, preload=True)
    host = make_host(web)
    web.write("v1", "gated")
    host.launch()
    wait_until(lambda: web.began_to_load("v1"), "it boots")
    master = host.master("web")
    host.kill_and_start_again()
    assert host.master("web") == master and len(host.masters("web")) == 1
    web.open_gate()
    assert one_family(host) == master


def test_a_program_that_is_no_longer_configured(make_host: MakeHost, folder: Path) -> None:
    """What runs on of it is reported with its pid, and taken over when it is configured again."""
    web, other = Program(folder), Program(folder, name="other", server="gunicorn")
    host = make_host(web, other)
    host.start()
    master = look(host.master("web"))
    host.kill()
    del host.programs["web"]
    host.was_killed = True
    host.launch()
    one_family(host, "other")
    assert f"web is not configured any more, and runs on as pid {master.pid}" in host.host_log()
    assert alive(master) and web.answers()
    host.kill()
    host.programs["web"] = web
    host.launch()
    assert one_family(host) == master.pid


@ON_SUPERVISOR
def test_survive_no(make_host: MakeHost, folder: Path) -> None:
    """Nothing is remembered then, nor in a folder that others may write in: one line says so."""
    web = Program(folder)
    host = make_host(web, options={"survive": "no"})
    host.start()
    master = look(host.master("web"))
    host.kill_and_start_again()
    assert "taken over" not in host.host_log()
    end(master)
    one_family(host)
    host.kill()
    host.options["survive"] = "yes"
    (folder / "state").chmod(0o777)
    host.launch()
    assert "can be written by others; chmod go-w" in host.host_log()
    for found in host.masters("web"):
        if found.pid != host.master("web"):
            end(found)


def test_its_old_driver_ends_with_it(make_host: MakeHost, folder: Path) -> None:
    """Also in the middle of a handover, which the next one's driver goes on with."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    reach(host, "booting")
    driver = look(host.driver())
    host.kill()
    wait_until(lambda: not alive(driver), "its driver has ended", 15)
    host.was_killed = True
    host.launch()
    web.open_gate()
    wait_until(lambda: host.phase("web") == "idle", "the handover has ended")
    one_family(host)
    assert web.answers("v2")
