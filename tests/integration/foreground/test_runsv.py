"""Under a real runsv, told what to do by the real sv, with requests under way."""

from __future__ import annotations

from ...kit.foreground_host import RunsvHost
from ...kit.load import Load
from ...kit.processes import kill, look
from ...kit.programs import Program
from ...waiting import stays, wait_until
from .conftest import both


def serving(program: Program, release: str) -> None:
    """Wait until a release answers."""
    wait_until(lambda: program.answers(release), f"{release} answers")


@both
def test_three_handovers_and_down(runsv: RunsvHost, web: Program) -> None:
    """`sv hup`, `sv 2` and `restart --wait` lose no request; the runner stays; down leaves none."""
    runsv.start()
    runner, masters = runsv.pid(), {runsv.master("web")}
    with Load(web.address) as load:
        for release, restart in (
            ("v2", lambda: runsv.sv("hup")),
            ("v3", lambda: runsv.sv("2")),
            ("v4", lambda: runsv.restart()),
        ):
            web.write(release)
            assert restart().ok
            serving(web, release)
            masters.add(runsv.wait_for_rest("web"))
    assert not load.failures
    assert len(masters) == 4
    assert runsv.pid() == runner
    assert runsv.sv("-w", "20", "down").ok
    runsv.wait_for_nobody("web")
    assert runsv.sv("status").text.startswith("down: ")


def test_a_broken_release(runsv: RunsvHost, web: Program) -> None:
    """It costs nothing, its reason is a line in the log, and the next good release comes in."""
    runsv.start()
    old = runsv.master("web")
    with Load(web.address) as load:
        web.write("v2", "raises")
        assert runsv.sv("hup").ok
        told = "handover 1 of web: failed"
        wait_until(lambda: told in runsv.host_log(), "the failure is told")
        assert runsv.wait_for_rest("web") == old
        web.write("v3")
        assert runsv.sv("hup").ok
        serving(web, "v3")
        runsv.wait_for_rest("web")
    assert not load.failures
    assert load.releases() == {"v1", "v3"}
    (line,) = (line for line in runsv.host_log().splitlines() if told in line)
    assert "workers keep dying before they are ready" in line


@both
def test_a_killed_master(runsv: RunsvHost, web: Program) -> None:
    """The runner ends as its master did, and runsv starts both again: one family, supervised."""
    runsv.start()
    runner = runsv.pid()
    kill(look(runsv.master("web")))
    wait_until(lambda: runsv.pid() not in (0, runner), "there is another runner")
    wait_until(lambda: runsv.at_rest("web"), "there is one family")
    assert web.answers()


def test_up_after_down(runsv: RunsvHost, web: Program) -> None:
    """A stopped service stays down, and comes up again."""
    runsv.start()
    assert runsv.stop("web").ok
    stays(lambda: not runsv.family("web"), "it is down", 0.3)
    assert runsv.begin("web").ok
    wait_until(lambda: runsv.at_rest("web"), "it is up")
