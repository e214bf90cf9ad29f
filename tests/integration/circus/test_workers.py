"""incr, decr and set numprocesses on a managed watcher."""

from __future__ import annotations

import pytest

from ...kit.circus_host import CircusHost
from ...kit.programs import Program
from ...waiting import Later, wait_until
from ..scenes import held_request


def test_workers_come_and_go(host: CircusHost) -> None:
    """incr, decr and set numprocesses change the workers, one master stays, and tell how many."""
    host.start()
    master = host.master("web")

    def workers() -> int:
        return len(host.workers("web"))

    assert host.ctl("incr", "web", "--waiting").text == "3\n" and workers() == 3
    assert host.ctl("incr", "web", "7", "--waiting").text == "10\n"
    assert workers() == 10
    assert host.ctl("decr", "web", "6", "--waiting").text == "4\n"
    wait_until(lambda: workers() == 4, "4 workers")
    assert host.ctl("decr", "web").ok
    wait_until(lambda: workers() == 3, "3 workers")
    assert host.ctl("set", "web", "numprocesses", "5").ok
    wait_until(lambda: workers() == 5, "5 workers")
    assert host.master("web") == master and host.ask("list", name="web")["pids"] == [master]


@pytest.mark.parametrize("web", ["unicorn", "gunicorn"], indirect=True)
def test_changes_of_workers_add_up(host: CircusHost, web: Program) -> None:
    """Those at the same time do, and those while workers are still to go; a singleton has them."""
    web.host_options["singleton"] = "True"
    host.start()
    every = [Later(lambda: host.call("incr", name="web", waiting=True)) for _ in range(4)]
    assert sorted(one.result()["numprocesses"] for one in every) == [3, 4, 5, 6]
    assert len(host.workers("web")) == 6
    assert host.ctl("decr", "web", "4", "--waiting").text == "2\n"
    wait_until(lambda: len(host.workers("web")) == 2, "2 workers")
    before = set(host.workers("web"))
    requests = [held_request(web), held_request(web)]
    fewest = {"unicorn": 0, "gunicorn": 1}[web.server]
    for left in (1, fewest, fewest):
        assert host.ctl("decr", "web", "--waiting").text == f"{left}\n"
    assert host.ctl("set", "web", "numprocesses", "2").ok
    assert host.ctl("incr", "web", "--waiting").text == "3\n"
    web.open_gate()
    assert [request.answer().outcome for request in requests] == ["ok", "ok"]
    wait_until(lambda: not before <= set(host.workers("web")), "one has gone")
    wait_until(lambda: len(host.workers("web")) == 3, "3 workers")


@pytest.mark.parametrize("web", ["unicorn", "gunicorn"], indirect=True)
def test_a_helper_of_the_master_is_not_counted(host: CircusHost, web: Program) -> None:
    """A process that a preloaded app has forked beside the workers is none."""
    web.preload = True
    web.write("v1", "helper")
    host.launch()
    wait_until(lambda: len(host.workers("web")) == 3, "two workers and the helper")
    wait_until(web.answers, "it answers")
    assert host.ctl("incr", "web", "--waiting").text == "3\n"
    assert host.ctl("decr", "web", "--waiting").text == "2\n"
