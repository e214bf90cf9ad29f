"""The handovers of a program, as one host remembers them and the next one goes on with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.deadlines import counted_from
from ..model.phases import Phase
from ..model.record import MasterId, Record
from .handovers import KEPT, Handovers


def state_of(handovers: Handovers) -> dict[str, Any]:
    """What is to be remembered, in plain types.

    Not how many workers are ready: the next driver counts them, and each would be a file written.
    """
    running = handovers.running
    return {
        "running": running.but(ready=0, total=0).to_json() if running else None,
        "following": handovers.queued_next,
        "ended": [record.to_json() for record in handovers.ended],
        "last": handovers.last,
        "command": handovers.command,
        "quitting": handovers.quitting,
    }


def restore(handovers: Handovers, state: Mapping[str, Any]) -> None:
    """Take what another host has remembered; nobody is told before `resume`.

    Raises KeyError, TypeError or ValueError if that is nonsense: nothing has changed then.
    """
    if not state:
        return
    running = state["running"] and Record.from_json(state["running"])
    ended = [Record.from_json(fields) for fields in state["ended"]]
    quitting = state["quitting"] and MasterId(*map(int, state["quitting"]))
    last, following, command = int(state["last"]), int(state["following"]), str(state["command"])
    handovers.running, handovers.ended, handovers.quitting = running, ended[-KEPT:], quitting
    handovers.last, handovers.queued_next, handovers.command = last, following, command


def resume(
    handovers: Handovers, now: float, master: MasterId, second: tuple[str, MasterId] | None = None
) -> None:
    """Let the handover that was under way go on, with the program's master of this moment.

    now: seconds of CLOCK_MONOTONIC. Nobody knows how long the program had no driver, so the phase
    has all of its time anew.
    second: the server and the new master that this one has re-executed, None if it has not. The
    driver may have sent USR2, and the host have been killed before it heard of that.
    """
    record = handovers.running
    if record is None:
        return
    if record.phase is Phase.RE_EXECUTING and master != record.old:  # that one has died meanwhile
        record = record.but(new=master, phase=Phase.BOOTING)
    elif second and not record.phase.traits.begun:
        server, new = second
        record = record.but(
            phase=Phase.BOOTING,
            server=server,
            new=new,
            signalled=record.since,
            found=True,
        )
    unwatched = record.unwatched + now - counted_from(record)
    handovers.report(record.but(inherited=True, unwatched=unwatched))
    if master != record.old:
        handovers.adopted(master, driver_is_there=True)  # which is about to come
