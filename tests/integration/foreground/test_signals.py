"""What a signal to the runner does, and how the runner ends."""

from __future__ import annotations

import signal

import pytest

from ...kit.foreground_host import LOG, ForegroundHost
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..scenes import held_request
from .conftest import both


@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_stop_is_graceful(host: ForegroundHost, web: Program, number: signal.Signals) -> None:
    """A request that is under way is answered in full, and the exit status is the master's."""
    host.start()
    request = held_request(web)
    host.signal_runner(number)
    wait_until(lambda: len(host.workers("web")) == 1, "the idle worker has ended")
    web.open_gate()
    assert request.answer().outcome == "ok"
    assert host.exit_status() == 0
    host.wait_for_nobody("web")


def test_a_request_longer_than_drain_timeout(host: ForegroundHost, web: Program) -> None:
    """It is cut, and the old master ends by the quick signal: nothing need be killed."""
    host.options["drain_timeout"] = "1"
    host.start()
    request = held_request(web)
    assert host.restart().ok
    assert request.answer().outcome == "cut"
    assert host.has_been("web", "forcing") and not host.has_been("web", "killing-old")


@both
def test_a_second_stop_is_quick(host: ForegroundHost, web: Program) -> None:
    """It does not wait for requests."""
    host.start()
    request = held_request(web)
    host.signal_runner(signal.SIGTERM)
    wait_until(lambda: len(host.workers("web")) == 1, "the idle worker has ended")
    host.signal_runner(signal.SIGTERM)
    assert host.exit_status() == 0
    assert request.answer().outcome != "ok"
    host.wait_for_nobody("web")


def test_a_terminal_and_its_process_manager(host: ForegroundHost, web: Program) -> None:
    """Ctrl-C reaches the runner as INT and, sent by foreman, as TERM: that is one graceful stop.

    Meanwhile there is no handover, as who asks for one is told.
    """
    host.start()
    request = held_request(web)
    host.signal_runner(signal.SIGINT)
    host.signal_runner(signal.SIGTERM)
    wait_until(lambda: len(host.workers("web")) == 1, "the idle worker has ended")
    refused = host.restart()
    assert (refused.text, refused.ok) == ("web: ERROR (it is being stopped)\n", False)
    web.open_gate()
    assert request.answer().outcome == "ok"
    assert host.exit_status() == 0


def test_a_stop_ends_a_handover(host: ForegroundHost, web: Program) -> None:
    """Both masters are ended, the new one as soon as it has loaded the application."""
    web.preload = True
    web.write("v1")
    host.start()
    web.write("v2", "gated")
    host.signal_runner(signal.SIGHUP)
    wait_until(lambda: web.began_to_load("v2"), "the release is read")
    host.signal_runner(signal.SIGTERM)
    web.open_gate()
    assert host.exit_status() == 0
    host.wait_for_nobody("web")


def test_a_stop_of_a_starting_program(host: ForegroundHost, web: Program) -> None:
    """A master that does not accept signals yet is ended as well."""
    web.preload = True
    web.write("v1", "gated")
    host.launch()
    wait_until(lambda: web.began_to_load("v1"), "it loads")
    host.signal_runner(signal.SIGTERM)
    host.exit_status()
    host.wait_for_nobody("web")


def test_handovers_at_once(host: ForegroundHost, web: Program) -> None:
    """Three at once are two: one that runs, and one that follows for the rest."""
    host.start()
    web.write("v2", "gated")
    with Load(web.address) as load:
        host.signal_runner(signal.SIGUSR2)
        wait_until(lambda: web.began_to_load("v2"), "the release is read")
        for number in (signal.SIGHUP, signal.SIGUSR2):
            host.signal_runner(number)
        wait_until(lambda: host.following("web") == 2, "another one follows")
        web.open_gate()
        wait_until(lambda: len(host.ended("web")) == 2, "two have ended")
        host.wait_for_rest("web")
    assert not load.failures
    assert [ended["succeeded"] for ended in host.ended("web")] == [True, True]


def test_what_is_passed_on(host: ForegroundHost, web: Program) -> None:
    """TTIN and TTOU change the number of workers, USR1 opens the logs again."""
    host.start()
    host.signal("web", "TTIN")
    wait_until(lambda: len(host.workers("web")) == 3, "there is a third worker")
    host.signal("web", "TTOU")
    wait_until(lambda: len(host.workers("web")) == 2, "there are two again")
    host.signal("web", "USR1")
    wait_until(lambda: "reopening logs" in host.log("web"), "the logs are opened again")


def test_it_dies_as_its_master_did(host: ForegroundHost, web: Program) -> None:
    """The master's signal is the runner's."""
    host.start()
    kill(look(host.master("web")))
    assert host.exit_status() == -signal.SIGKILL


def test_its_exit_status_is_the_masters(host: ForegroundHost, web: Program) -> None:
    """That of a master which cannot boot, too."""
    web.preload = True
    web.write("v1", "raises")
    host.spawn(host.command_line, web.folder, LOG)
    assert host.exit_status() == 1
    assert "with exit status 1" in host.host_log()


def test_respawn(host: ForegroundHost, web: Program) -> None:
    """A crash refuses nothing; if they come quickly, each pause is longer than the last."""
    web.restarted = True
    host.start()
    runner, old = host.pid(), host.master("web")
    wait_until(lambda: "is held, so that a crash" in host.host_log(), "its sockets are held")
    with Load(web.address) as load:
        kill(look(old))
        wait_until(lambda: host.master("web") not in (0, old), "another master is started")
        wait_until(lambda: host.at_rest("web"), "it is one family")
    assert not load.failures
    kill(look(host.master("web")))
    wait_until(lambda: "it is started again in 2 s" in host.host_log(), "it waits")
    host.signal_runner(signal.SIGHUP)
    wait_until(lambda: host.at_rest("web"), "it is started at once")
    assert host.pid() == runner


def test_a_killed_driver(host: ForegroundHost, web: Program) -> None:
    """Another one is started, and goes on with the handover."""
    host.start()
    web.write("v2", "gated")
    with Load(web.address) as load:
        assert host.restart(wait=False).ok
        wait_until(lambda: web.began_to_load("v2"), "the release is read")
        driver = host.driver()
        kill(look(driver))
        wait_until(lambda: host.driver() not in (0, driver), "there is another driver")
        web.open_gate()
        wait_until(lambda: web.answers("v2"), "v2 answers")
        host.wait_for_rest("web")
    assert not load.failures
    assert host.ended("web")[-1]["succeeded"]


def test_it_is_left_to_nobody_who_does_not_know_it(host: ForegroundHost, web: Program) -> None:
    """With `survive = no` an ALRM would lose the program, so the runner stays."""
    host.options["survive"] = "no"
    host.start()
    host.signal_runner(signal.SIGALRM)
    told = "it is not left to another runner: survive = no"
    wait_until(lambda: told in host.host_log(), "it is told")
    assert host.at_rest("web")
