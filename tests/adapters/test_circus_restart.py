"""What a caller of `circusctl restart` is told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from circus.commands import get_commands
from tornado.concurrent import Future

from circus_unicorn.controller import RestartCommand
from circus_unicorn.enter import enter_circusd
from circus_unicorn.host import CircusSide
from circus_unicorn.restarts import Restart
from unicorn_handover.host.handovers import Handovers
from unicorn_handover.host.presence import DRIVER_GRACE
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

OLD, NEW = MasterId(10, 1), MasterId(20, 2)


class FakeHost(CircusSide):
    """A host side without a circusd, and with a clock of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.asyncio = loop
        self.now = 0.0
        self.asked: list[Restart] = []
        system = System()
        system.clock = lambda: self.now  # type: ignore[method-assign]
        super().__init__(system)
        self.circusd.arbiter = Mock()
        for name in ("web", "api"):
            program = self.manage(name, Options())
            program.handovers = Handovers(name, system.clock, lambda: OLD, lambda *told: None)
        self.presence.came()

    def look(self) -> None:
        """Nothing is new."""

    def ask(self, program: str = "web", refusal: str = "") -> Restart:
        """Ask for a restart as `begin` does."""
        restart = Restart(self, self.programs[program], refusal)
        if self.restarts._collected is not None:
            self.restarts._collected.append(restart)
        self.asked.append(restart)
        restart.look()
        return restart

    def tell(self, phase: Phase, number: int = 1, program: str = "web", **fields: Any) -> None:
        """A record comes from the driver."""
        record = Record(program, number, phase, OLD, 0, 0, NEW, **fields)
        self.programs[program].handovers.report(record)
        for restart in self.asked:
            restart.look()


class Stock:
    """Circus's own command, which begins what it is given."""

    name = "restart"
    options = ("waiting",)

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Begin."""
        return self.act()


@pytest.fixture
def host() -> Any:
    """A host side, inside a running loop."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield FakeHost(loop)
    loop.close()
    asyncio.set_event_loop(None)


def answered(host: FakeHost, future: Any) -> Any:
    """The future's result once the loop has turned, None if it has none yet."""
    host.asyncio.run_until_complete(asyncio.sleep(0))
    return future.result() if future.done() else None


def ask(host: FakeHost, programs: list[str], props: dict[str, Any], refusal: str = "") -> Any:
    """What the command answers when Circus begins to restart these programs."""
    stock = Stock(lambda: [host.ask(program, refusal) for program in programs] and None)
    return RestartCommand(stock, host).execute(None, props)


def test_one_who_waits_is_told_what_stopped_and_started(host: FakeHost) -> None:
    """Not before the new master is adopted."""
    answer = ask(host, ["web"], {"name": "web", "waiting": True})
    host.tell(Phase.BOOTING)
    assert answered(host, answer) is None
    host.tell(Phase.DONE)
    assert answered(host, answer) == {"info": {"stopped": [10], "started": [20], "kept": []}}


def test_one_who_waits_for_several_is_told_of_each(host: FakeHost) -> None:
    """The answer comes with the last of them."""
    answer = ask(host, ["web", "api"], {"name": "*", "waiting": True})
    host.tell(Phase.DONE, program="api")
    assert answered(host, answer) is None
    host.tell(Phase.DONE)
    assert set(answered(host, answer)["info"]) == {"web", "api"}


def test_a_failure_is_an_error_that_says_why(host: FakeHost) -> None:
    """With the program's last lines, each on a line of its own."""
    answer = ask(host, ["web"], {"name": "web", "waiting": True})
    host.tell(Phase.FAILED, reason="it is broken", output=("boom",))
    told = answered(host, answer)
    assert told["status"] == "error" and told["reason"] == "web: it is broken\n    | boom"


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RE_EXECUTING, Phase.BOOTING])
def test_one_who_does_not_wait_is_told_when_it_is_accepted(host: FakeHost, phase: Phase) -> None:
    """That is when the driver has found nothing that speaks against it."""
    props: dict[str, Any] = {"name": "web"}
    answer = ask(host, ["web"], props)
    host.tell(Phase.CHECKING)
    assert answered(host, answer) is None and props["waiting"] is True
    host.tell(phase)
    assert answered(host, answer) == {}


def test_one_who_does_not_wait_hears_of_a_refusal(host: FakeHost) -> None:
    """By the host side as well as by the driver."""
    answer = ask(host, ["web"], {"name": "web"}, "[watcher:web] working_dir: is not there")
    assert "working_dir: is not there" in answered(host, answer)["reason"]
    answer = ask(host, ["api"], {"name": "api"})
    host.tell(Phase.FAILED, program="api", reason="no USR2")
    assert answered(host, answer)["reason"] == "api: no USR2"


def test_one_who_waits_for_all_hears_of_the_others(host: FakeHost) -> None:
    """The answer comes when they are done as well, and tells of an error among them."""
    for error in (None, RuntimeError("no such hook")):
        others = Future()

        def begin(others: Any = others) -> Any:
            host.ask()
            return others

        props = {"name": "*", "waiting": True}
        answer = RestartCommand(Stock(begin), host).execute(None, props)
        host.tell(Phase.DONE, number=len(host.asked))
        assert answered(host, answer) is None
        if error:
            others.set_exception(error)
        else:
            others.set_result(None)
        host.asyncio.run_until_complete(asyncio.sleep(0))
        told = answered(host, answer)
        assert told.get("reason", "") == (
            f"the other watchers: {error}; see circusd's log" if error else ""
        )


def test_one_who_does_not_wait_is_not_held_for_long(host: FakeHost) -> None:
    """A driver that does not look does not keep the caller."""
    answer = ask(host, ["web"], {"name": "web"})
    host.asked[0].accept()
    assert answered(host, answer) == {}


def test_a_driver_that_stays_away_is_told_to_all_who_wait(host: FakeHost) -> None:
    """Nobody waits for ever."""
    answer = ask(host, ["web"], {"name": "web", "waiting": True})
    host.tell(Phase.BOOTING)
    host.presence.went()
    host.now = DRIVER_GRACE + 1
    host.asked[0].look()
    assert "will go on with the handover, which is booting" in answered(host, answer)["reason"]


def test_what_waits_behind_a_cancelled_handover_ends_too(host: FakeHost) -> None:
    """Its callers hear that."""
    ask(host, ["web"], {"name": "web"})
    host.tell(Phase.BOOTING)
    answer = ask(host, ["web"], {"name": "web", "waiting": True})
    host.programs["web"].handovers.cancel("the watcher was stopped")
    host.asked[-1].look()
    assert "a handover that was cancelled" in answered(host, answer)["reason"]


def test_where_nothing_is_handed_over_circus_answers(host: FakeHost) -> None:
    """Its answer, and the caller's properties, are untouched."""
    props: dict[str, Any] = {"name": "other"}
    response = Future()
    command = RestartCommand(Stock(lambda: response), host)
    assert command.execute(None, props) is response and props == {"name": "other"}
    assert command.options == ("waiting",)


@pytest.mark.parametrize(
    ("name", "props", "several"),
    [
        ("restart", {"name": "*"}, True),
        ("restart", {}, False),
        ("reload", {"name": "web"}, False),
    ],
)
def test_a_stop_that_begins_a_restart_is_known(
    host: FakeHost, name: str, props: dict[str, Any], several: bool
) -> None:
    """Only the restart of some watchers by pattern stops them to start them again."""
    seen: list[bool] = []
    stock = Stock(lambda: seen.append(host.restarts.stops_first))
    stock.name = name
    RestartCommand(stock, host).execute(None, props)
    assert seen == [several] and host.restarts.stops_first is False


def test_outside_of_circusd_nothing_happens() -> None:
    """Importing the plugin's class installs nothing, and adds no command to Circus's own."""
    from circus_unicorn import UnicornPlugin

    enter_circusd()
    assert UnicornPlugin.name == "unicorn" and "unicorn" not in get_commands()
