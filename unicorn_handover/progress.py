"""How an operator sees handovers: a line that updates on a terminal, and the status lines.

All hosts' commands show the structures that `struct` makes of records.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from .model.phases import Phase
from .model.record import Record

ERASE_LINE = "\r\x1b[K"
NOTES = ("answer", "warning")  # the keys of what is to be said beside a success

Outcome = Mapping[str, Any]  # what has become of a handover, see `host.request`


def struct(record: Record, now: float) -> dict[str, Any]:
    """A record in plain types without None; times are seconds until `now`, or until its end."""
    end = record.ended or now
    return {
        "number": record.number,
        "phase": record.phase.value,
        "old_pid": record.old.pid,
        "new_pid": record.new.pid if record.new else 0,
        "server": record.server,
        "method": record.method,
        "why": record.why,
        "ready": record.ready,
        "total": record.total,
        "succeeded": record.succeeded,
        "reason": record.reason,
        "answer": record.answer,
        "warning": record.warning,
        "both_serve": record.both_serve if record.phase is Phase.SOAKING else "",
        "output": list(record.output),
        "seconds": round(end - record.began, 3),
        "seconds_in_phase": round(end - record.since, 3),
        "passed": [{"phase": phase, "seconds": seconds} for phase, seconds in record.passed],
    }


def phase_text(running: Mapping[str, Any]) -> str:
    """The phase of a running handover and, once there are workers, how many are ready."""
    workers = (
        f", {running['ready']} of {running['total']} workers ready" if running["total"] else ""
    )
    return f"{running['phase']}{workers}"


def status_line(status: Mapping[str, Any]) -> str:
    """One program's line: name, phase, pids, workers, time, and how the last handover ended."""
    running = status["running"]
    if running:
        pids = f"pid {running['old_pid']} -> {running['new_pid'] or '?'}"
        now = f"{phase_text(running)}, {pids}, {running['seconds_in_phase']:.1f} s in this phase"
        if running.get("answer"):
            now += f"; {running['answer']}"
        if running.get("both_serve"):
            now += f"; both releases serve: {running['both_serve']}"
        if status["following"]:
            now += ", another one follows"
    else:
        now = f"idle, pid {status['pid']}"
    if status.get("to_be_left"):
        now += ", to be left running"
    ended = status["ended"]
    last = f"; last: {_end_text(ended[-1])}" if ended else ""
    return f"{status['name']:<30} {now}{last}"


def begun_line(name: str, number: int) -> str:
    """What a restart that does not wait says when its handover is accepted."""
    return f"{name}: started (handover {number} is under way)"


def unwatched_line(name: str, number: int, command: str) -> str:
    """What a restart that waited says when its caller has gone; `command` shows the rest."""
    return f"{name}: handover {number} is not watched any more; see `{command}`"


def outcome_lines(name: str, outcome: Outcome) -> list[str]:
    """What a restart that waited says at the end."""
    ended = outcome.get("ended") or {}
    if not has_succeeded(outcome):
        return failure_lines(name, outcome["reason"], ended.get("output", []))
    pids = f"pid {ended['old_pid']} -> {ended['new_pid']}"
    notes = [ended[key] for key in NOTES if ended.get(key)]
    return [f"{name}: started ({pids} in {ended['seconds']:.1f} s)", *map(_indented, notes)]


def has_succeeded(outcome: Outcome) -> bool:
    """True if the handover of an outcome has ended well."""
    return bool(outcome.get("ended") and outcome["ended"]["succeeded"])


def failure_lines(name: str, reason: str, output: Sequence[str] = ()) -> list[str]:
    """What went wrong, and the lines that show the cause, which are printable: see `excerpt`."""
    return [f"{name}: ERROR ({reason})", *map(_indented, output)]


def _indented(line: str) -> str:
    return f"    | {line}"


def warnings(statuses: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong beside the handovers, each line once."""
    lines = dict.fromkeys(status.get("warning", "") for status in statuses)
    return [line for line in lines if line]


def _end_text(record: Mapping[str, Any]) -> str:
    pids = f"pid {record['old_pid']} -> {record['new_pid'] or '?'}"
    reason = f": {record['reason']}" if record["reason"] else ""
    notes = "".join(f"; {record[key]}" for key in NOTES if record.get(key))
    return f"{record['phase']}, {pids} in {record['seconds']:.1f} s{notes}{reason}"


class Progress:
    """Shows a handover while it is watched: one line that updates, or a line a phase."""

    def __init__(self, name: str, out: TextIO) -> None:
        self._name = name
        self._out = out
        self._terminal = out.isatty()
        self._shown = ""
        self._lines = 0  # how many phases have theirs

    def follow(self, number: int, outcomes: Iterable[Outcome]) -> Outcome:
        """Show a handover by what a host tells of it, to its end; return what was told last."""
        outcome: Outcome = {}
        try:
            for outcome in outcomes:
                if outcome["ended"] or outcome["reason"]:
                    self.passed(outcome["ended"].get("passed", []))
                    break
                if outcome["running"]:  # none does for a moment, between two handovers
                    self.update(outcome["running"], number)
        finally:
            self.close()
        return outcome

    def update(self, running: Mapping[str, Any], number: int) -> None:
        """Show where the running handover is; `number` is the one that is waited for."""
        if running["number"] != number:
            text = f"waiting for handover {running['number']}, {running['phase']}"
        else:
            text = phase_text(running)
        if self._terminal:
            line = f"{self._name}: {text} ({running['seconds']:.0f} s)"
            # What is wider than the terminal goes on in the next line, and is not erased with it.
            self._out.write(f"{ERASE_LINE}{line[: shutil.get_terminal_size().columns]}")
        elif running["number"] == number:
            self.passed([*running["passed"], running])
        elif text != self._shown:
            self._out.write(f"{self._name}: {text}\n")
        self._shown = text
        self._out.flush()

    def passed(self, phases: Sequence[Mapping[str, Any]]) -> None:
        """Without a terminal, give each phase its line, also one that was too short to be seen."""
        for phase in [] if self._terminal else phases[self._lines :]:
            self._out.write(f"{self._name}: {phase['phase']}\n")
            self._lines += 1

    def close(self) -> None:
        """Clear the line that was updated."""
        if self._terminal and self._shown:
            self._out.write(ERASE_LINE)
            self._out.flush()
