"""The handovers that callers of this circusd wait for, and what they are answered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from circus import logger
from circus.commands.errors import COMMAND_ERROR
from circus.util import check_future_exception_and_log
from tornado.concurrent import Future

from unicorn_handover.errors import raised
from unicorn_handover.host.program import Program
from unicorn_handover.host.request import ACCEPTING, Request
from unicorn_handover.host.side import HostSide

from .circusd import Circusd
from .coroutines import Steps, coroutine
from .driver import Driver

LINGER = 1000  # milliseconds


class Restart:
    """`ended` resolves with the answer of `circusctl restart --waiting`; `accepted` earlier.

    Neither ever fails: Circus would leave the caller without an answer. A restart that failed has
    the reason as `error`.
    """

    def __init__(self, side: HostSide, program: Program, refusal: str) -> None:
        self.name = program.name
        self.ended = Future()
        self.accepted = Future()
        self._request = None if refusal else Request(side, program)
        if refusal:
            self._end(_failed(refusal))

    def look(self) -> bool:
        """See whether it has been accepted or has ended; False when there is no more to see."""
        if self.ended.done() or self._request is None:
            return False
        self._request.poll()
        if self._request.has_ended:
            self._end(_outcome(self._request))
            return False
        if self._request.is_accepted:
            self.accept()
        return True

    def accept(self) -> None:
        """Let a caller who does not wait go."""
        if not self.accepted.done():
            self.accepted.set_result({})

    def dismiss(self) -> None:
        """Let a caller go whom the next arbiter cannot answer; the handover goes on."""
        if not self.ended.done():
            command = f"`circus_unicorn status {self.name}`"
            self._end(_failed(f"circusd starts anew; {command} shows its outcome"))

    def _end(self, outcome: dict[str, Any]) -> None:
        self.ended.set_result(outcome)
        if not self.accepted.done():
            self.accepted.set_result(outcome)


class Restarts:
    """All restarts under way.

    Circus tells a watcher to stop or to restart without saying for whom. So while one of its
    commands runs, whatever begins a handover is collected for that command's caller. stops_first:
    while Circus stops several watchers to start them again, which is no stop for a managed one.
    """

    stops_first = False

    def __init__(self, side: HostSide, driver: Driver) -> None:
        self._side = side
        self._driver = driver
        self._all: list[Restart] = []
        self._answers: list[Any] = []
        self._collected: list[Restart] | None = None

    @contextlib.contextmanager
    def collect(self, stops_first: bool) -> Iterator[list[Restart]]:
        """Collect the restarts that Circus begins now."""
        begun: list[Restart] = []
        self._collected, self.stops_first = begun, stops_first
        try:
            with self._side.together():
                yield begun
        finally:
            self._collected, self.stops_first = None, False

    def begin(self, program: Program, refusal: Callable[[], str]) -> Any:
        """Ask for a handover; return the future of what became of it. Never raises.

        `refusal` gives what keeps this watcher from being handed over, or "".
        """
        restart = self._restart_of(program, refusal)
        if self._collected is not None:
            self._collected.append(restart)
        if restart.look():
            self._all.append(restart)
            self._side.loop.after(ACCEPTING, restart.accept)
        elif "error" in restart.ended.result():
            logger.warning(f"{program.label}: no handover: {restart.ended.result()['error']}")
        return restart.ended

    def _restart_of(self, program: Program, refusal: Callable[[], str]) -> Restart:
        try:
            reason = program.refusal or refusal()
            if not reason and not self._driver.will_come:
                reason = self._driver.why_none()
            return Restart(self._side, program, reason)
        except Exception as error:  # of several watchers Circus would leave the others stopped
            return Restart(self._side, program, raised(error))

    def look(self, name: str = "") -> None:
        """See which have been accepted or have ended: those of one program, or all."""
        self._all = [r for r in self._all if (name and r.name != name) or r.look()]

    def answer(self, begun: list[Restart], response: Any, waiting: bool) -> Any:
        """The future of the answer to a restart or reload of which `begun` are handovers.

        `response` is Circus's own: one watcher's, or that of all, handed over or not.
        """
        answer = Future()
        self._answers = [other for other in self._answers if not other.done()] + [answer]
        pending = [restart.ended if waiting else restart.accepted for restart in begun]
        others = []
        if type(response) is Future:
            response.add_done_callback(check_future_exception_and_log)
            others = [response] if waiting else []

        def one_is_done(_: object) -> None:
            if not answer.done() and all(future.done() for future in pending + others):
                outcomes = [future.result() for future in pending]
                errors = [future.exception() for future in others if future.exception()]
                answer.set_result(_answer(begun, outcomes, errors, waiting))

        for future in pending + others:
            future.add_done_callback(one_is_done)
        return answer

    @coroutine
    def dismiss_callers(self, circusd: Circusd) -> Steps:
        """Answer all callers that wait, because circusd is about to restart itself."""
        for restart in self._all:
            restart.dismiss()
        # Circus closes its socket without waiting for what is on the way.
        circusd.arbiter.ctrl.ctrl_socket.linger = LINGER
        yield list(self._answers)


def _outcome(request: Request) -> dict[str, Any]:
    record = request.record
    if request.reason or record is None or record.new is None:
        return _failed(request.reason, record.output if record else ())
    return {"stopped": [record.old.pid], "started": [record.new.pid], "kept": []}


def _failed(why: str, output: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"error": why, "output": list(output)}


def _answer(
    begun: list[Restart],
    outcomes: list[dict[str, Any]],
    errors: list[BaseException],
    waiting: bool,
) -> dict[str, Any]:
    """The controller's answer. A `status` in the fields replaces its "ok"."""
    failed = [(r.name, o) for r, o in zip(begun, outcomes) if "error" in o]
    lines = []
    for name, outcome in failed:
        lines.append(f"{name}: {outcome['error']}")
        lines += [f"    | {line}" for line in outcome["output"]]
    lines += [f"the other watchers: {error}; see circusd's log" for error in errors]
    if lines:
        return {"status": "error", "reason": "\n".join(lines), "errno": COMMAND_ERROR, "tb": None}
    if not waiting:
        return {}
    if len(begun) == 1:
        return {"info": outcomes[0]}
    return {"info": {restart.name: outcome for restart, outcome in zip(begun, outcomes)}}
