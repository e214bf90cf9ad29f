"""A restart over XML-RPC: the number that is answered, and the outcome of that very handover."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from supervisor.http import NOT_DONE_YET
from supervisor.states import ProcessStates
from supervisor.xmlrpc import RPCError

from supervisor_unicorn import make_rpcinterface
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

from .conftest import Site

MakeSite = Callable[..., Site]


class Calls:
    """The namespace of a supervisord whose program runs, and what its driver would report."""

    def __init__(self, site: Site) -> None:
        self.interface = make_rpcinterface(
            site.supervisord, programs="web", state=f"{site.folder}/state"
        )
        site.turn_until(lambda: site.web.state == ProcessStates.RUNNING, "web runs")
        self.site = site
        self.handovers = site.web.program.handovers

    def answer(self, call: Callable[[], Any]) -> Any:
        """Turn the loop until a deferred call is answered."""
        answers: list[Any] = []

        def answered() -> bool:
            answers.append(call())
            return answers[-1] is not NOT_DONE_YET

        self.site.turn_until(answered, "it is answered")
        return answers[-1]

    def request(self) -> int:
        """Ask for a handover; the driver looks at it at once."""
        call = self.interface.request("web")
        running = self.handovers.running
        assert running is not None
        if running.phase is Phase.REQUESTED:
            self.report(phase=Phase.RE_EXECUTING, signalled=time.monotonic())
        number = self.answer(call)
        assert type(number) is int
        return number

    def report(self, **changes: Any) -> None:
        """Take a record of the running handover, as the driver sends it."""
        running = self.handovers.running
        assert running is not None
        self.handovers.report(running.but(**changes))

    def outcome(self, number: int) -> dict[str, Any]:
        """What has become of a handover."""
        told: dict[str, Any] = self.answer(self.interface.outcome("web", number))
        return told


@pytest.fixture
def calls(make_site: MakeSite) -> Calls:
    """The namespace, with a program that runs."""
    return Calls(make_site())


def test_each_caller_gets_the_number_and_the_outcome_of_its_own(calls: Calls) -> None:
    """Another caller's restart in between changes neither."""
    first, second = calls.request(), calls.request()
    assert (first, second) == (1, 2)
    assert calls.outcome(second)["running"]["number"] == first
    calls.report(phase=Phase.FAILED, reason="broken", ended=1.0)
    calls.report(phase=Phase.DONE, new=MasterId(7, 7), ended=2.0)
    told = calls.outcome(first)
    assert told["ended"]["number"] == first and told["reason"] == "broken"
    told = calls.outcome(second)
    assert told["ended"]["succeeded"] and told["ended"]["new_pid"] == 7 and told["reason"] == ""


def test_a_handover_that_never_comes_is_reported(calls: Calls) -> None:
    """One that was waiting and cancelled is no other caller's, though the next one comes soon."""
    calls.request()
    waiting = calls.request()
    calls.handovers.cancel("the program was stopped")
    assert "behind a handover that was cancelled" in calls.outcome(waiting)["reason"]
    assert calls.request() == waiting + 1
    assert "behind a handover that was cancelled" in calls.outcome(waiting)["reason"]
    assert "the host was reloaded" in calls.outcome(waiting + 9)["reason"]


def test_a_request_that_fails_at_once_is_a_fault(calls: Calls) -> None:
    """What speaks against the first signal is told to a caller who does not wait."""
    call = calls.interface.request("web")
    calls.report(phase=Phase.FAILED, reason="the folder is gone", ended=1.0)
    with pytest.raises(RPCError, match="the folder is gone"):
        calls.answer(call)


@pytest.mark.parametrize("words", [("web", "1"), ("web", True), ("web", 1, "x"), ("nosuch", 1)])
def test_an_outcome_takes_only_a_managed_name_and_a_number(
    calls: Calls, words: tuple[Any, ...]
) -> None:
    """Whatever a client sends, supervisord answers with a fault."""
    with pytest.raises(RPCError):
        calls.interface.outcome(*words)


def test_a_record_of_another_handover_is_not_taken(calls: Calls) -> None:
    """A driver's late word of an earlier handover does not end this caller's."""
    number = calls.request()
    calls.handovers.report(Record("web", 9, Phase.DONE, MasterId(1, 1), 1.0, 1.0, ended=1.0))
    assert calls.outcome(number)["ended"] == {}
