"""What is known of one handover: enough for another driver to go on with it.

The driver gives its record to the host before it acts on it, so the host always holds the last
phase that may have begun. It crosses between the two as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..errors import printable
from .phases import Phase

METHODS = ("auto", "usr2", "spawn")
"""The master re-executes itself (usr2), the host starts the new one (spawn), or what can do."""


class MasterId(NamedTuple):
    """A master by its pid and its start time, in clock ticks since boot."""

    pid: int
    start: int


@dataclass(frozen=True)
class Record:
    """One handover of one program.

    number: counts the program's handovers from 1.
    old, new: the masters; `new` is None until it is found.
    server: the name of the server, "" until it is known.
    worker_count: how many workers the old master had before the handover.
    ready, total: the new master's workers that are ready, and all of them; while the old workers
    are brought back, those that are ready again, and `worker_count`.
    reason: why it failed, "" while nothing is wrong.
    method: how the new master comes to be, see `METHODS`; why: what speaks for that, "" if nothing
    needs saying. The host sets what it wants, the driver what was taken.
    sockets: the paths of the unix sockets that the new master shares with the old one; the host
    gives them with the name of a master that it has started.
    listening, new_listening: the descriptors of the old and of the new master's listeners, which
    the host copies to start the new one, and to hold them; none if they are not known.
    pid_file: its path, where only the server itself knows it, "" if it has none; None if nobody
    has asked.
    began, signalled, since: seconds of CLOCK_MONOTONIC when it was asked for, when USR2 was sent or
    the host was asked to start the new master (0 before that), and when the phase was entered.
    unwatched: seconds that do not count for the phase's deadline: no driver ran, for it had died or
    was stopped, maybe with the whole machine.
    quiesced: when the old workers got the signal to quit, 0 if they never did.
    preloaded, new_preloaded: whether the old and the new master are known to have their application
    in memory.
    both_serve: why the old workers are not stopped in a soak, "" if they are.
    found: whether the new master was there before, from a USR2 sent by hand, and the driver has not
    observed both masters yet.
    inherited: whether a killed host had it, whose driver may have got further than is known here.
    answer: what the check was answered, where the operator may take that for more than it is.
    warning: what was lost although it went as it should, "" if nothing.
    ended: when it reached its end, 0 before that.
    output: the last lines the program wrote, if it failed and the host has them.
    passed: the phases it has left, each with its seconds; the host keeps them.
    """

    program: str
    number: int
    phase: Phase
    old: MasterId
    began: float
    since: float
    new: MasterId | None = None
    server: str = ""
    worker_count: int = 0
    ready: int = 0
    total: int = 0
    reason: str = ""
    method: str = "usr2"
    why: str = ""
    sockets: tuple[str, ...] = ()
    listening: tuple[int, ...] = ()
    new_listening: tuple[int, ...] = ()
    pid_file: str | None = None
    signalled: float = 0.0
    unwatched: float = 0.0
    quiesced: float = 0.0
    preloaded: bool = False
    new_preloaded: bool = False
    both_serve: str = ""
    found: bool = False
    inherited: bool = False
    answer: str = ""
    warning: str = ""
    ended: float = 0.0
    output: tuple[str, ...] = ()
    passed: tuple[tuple[str, float], ...] = ()

    @property
    def key(self) -> tuple[str, int, MasterId]:
        """What no other handover has in common with this one."""
        return self.program, self.number, self.old

    @property
    def way(self) -> str:
        """How the new master comes to be, and why so, for an operator."""
        return f"{self.method}: {printable(self.why)}" if self.why else self.method

    @property
    def succeeded(self) -> bool:
        """True if the new master took over, and was what the operator asked for."""
        return self.phase is Phase.DONE and not self.reason

    def reason_and(self, reason: str) -> str:
        """Return the reason so far with another one behind it: "" adds nothing."""
        return "; ".join(filter(None, [self.reason, reason]))

    def but(self, **changes: Any) -> Record:
        """Return a copy with these fields changed."""
        return replace(self, **changes)

    def after(self, before: Record) -> Record:
        """Return a copy that has passed what `before` has, and its phase if this is another."""
        left = ((before.phase.value, round(self.since - before.since, 3)),)
        return self.but(passed=before.passed + (left if self.phase is not before.phase else ()))

    def to_json(self) -> dict[str, Any]:
        """Return this as what `json.dumps` takes."""
        return {**vars(self), "phase": self.phase.value}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Record:
        """Read what `to_json` gave. Raises KeyError, TypeError or ValueError if it is not that.

        Unknown fields are left out: the other side may be of another version.
        """
        new = fields["new"]
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        return cls(
            **{
                **known,
                "phase": Phase(fields["phase"]),
                "old": MasterId(*fields["old"]),
                "new": None if new is None else MasterId(*new),
                "sockets": tuple(fields.get("sockets", ())),
                "listening": tuple(fields.get("listening", ())),
                "new_listening": tuple(fields.get("new_listening", ())),
                "output": tuple(fields["output"]),
                "passed": tuple((phase, seconds) for phase, seconds in fields.get("passed", ())),
            }
        )
