"""What an operator sees of a handover: progress and status lines."""

from __future__ import annotations

import io

import pytest

from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.progress import Progress, status_line, struct

RUNNING = Record("web", 3, Phase.BOOTING, MasterId(10, 1), 100.0, 101.0, ready=1, total=4)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def status(**fields: object) -> dict[str, object]:
    """A status as the host gives it."""
    plain = {"name": "web", "pid": 10, "running": {}, "ended": [], "following": 0}
    return {**plain, **fields}


def test_struct_has_only_plain_types() -> None:
    """XML-RPC knows no None and no tuples."""
    told = struct(RUNNING, 105.0)
    assert told["new_pid"] == 0 and told["seconds"] == 5.0 and told["seconds_in_phase"] == 4.0
    assert all(type(value) in (str, int, float, bool, list) for value in told.values())
    told = struct(RUNNING.but(phase=Phase.SOAKING, since=104.0).after(RUNNING), 105.0)
    assert told["passed"] == [{"phase": "booting", "seconds": 3.0}]
    ended = RUNNING.but(phase=Phase.DONE, ended=103.0)
    assert struct(ended, 500.0)["seconds"] == 3.0


def test_the_times_of_an_ended_handover_stand_still() -> None:
    """However much later somebody looks."""
    ended = RUNNING.but(phase=Phase.DONE, since=103.0, ended=103.5)
    told = struct(ended, 500.0)
    assert told["seconds"] == 3.5 and told["seconds_in_phase"] == 0.5


def test_status_lines() -> None:
    """Name, phase, pids, workers, time, and how the last one ended."""
    running = struct(RUNNING.but(new=MasterId(20, 2)), 105.0)
    failed = struct(RUNNING.but(phase=Phase.FAILED, reason="broken", ended=102.0), 105.0)
    assert status_line(status()).split() == ["web", "idle,", "pid", "10"]
    line = status_line(status(running=running, ended=[failed], following=4))
    assert line.split("  ")[-1].strip() == (
        "booting, 1 of 4 workers ready, pid 10 -> 20, 4.0 s in this phase, another one follows; "
        "last: failed, pid 10 -> ? in 2.0 s: broken"
    )
    assert status_line({**status(), "to_be_left": True}).endswith("pid 10, to be left running")


def test_progress_without_a_terminal_is_a_line_a_phase() -> None:
    """A log gets each phase once, and no control characters."""
    out = io.StringIO()
    progress = Progress("web", out)
    booting = RUNNING.but(passed=(("requested", 0.1), ("checking", 0.2)))
    soaking = booting.but(phase=Phase.SOAKING, since=104.0).after(booting)
    draining = soaking.but(phase=Phase.DRAINING, since=104.5).after(soaking)
    for record in (booting, booting, draining):  # nobody looked while it was soaking
        progress.update(struct(record, 105.0), 3)
    progress.passed(struct(draining.but(phase=Phase.DONE).after(draining), 106.0)["passed"])
    progress.close()
    phases = ["requested", "checking", "booting", "soaking", "draining"]
    assert out.getvalue() == "".join(f"web: {phase}\n" for phase in phases)


def test_progress_on_a_terminal_is_one_line_that_is_erased_in_the_end() -> None:
    """It shows workers and seconds."""
    out = Terminal()
    progress = Progress("web", out)
    progress.update(struct(RUNNING, 105.0), 3)
    assert out.getvalue() == "\r\x1b[Kweb: booting, 1 of 4 workers ready (5 s)"
    progress.close()
    assert out.getvalue().endswith("\r\x1b[K") and "\n" not in out.getvalue()


def test_progress_is_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that went on in the next one could not be erased."""
    monkeypatch.setenv("COLUMNS", "20")
    out = Terminal()
    Progress("web", out).update(struct(RUNNING, 105.0), 3)
    assert out.getvalue() == "\r\x1b[Kweb: booting, 1 of 4"


def test_progress_of_one_that_follows() -> None:
    """Who waits for the next one is told of the one before it."""
    out = io.StringIO()
    Progress("web", out).update(struct(RUNNING, 105.0), 4)
    assert out.getvalue() == "web: waiting for handover 3, booting\n"


def test_what_is_followed_ends_with_it() -> None:
    """Before it none may run for a moment; by its end the next one may, which is another's."""
    out = io.StringIO()
    ended = struct(RUNNING.but(phase=Phase.DONE, ended=103.0).after(RUNNING), 103.0)
    told = [
        {"ended": {}, "reason": "", "running": {}},
        {"ended": {}, "reason": "", "running": struct(RUNNING, 101.0)},
        {"ended": ended, "reason": "", "running": struct(RUNNING.but(number=4), 104.0)},
        {"ended": {}, "reason": "nobody asks for more", "running": {}},
    ]
    assert Progress("web", out).follow(3, told) is told[2]
    assert out.getvalue() == "web: booting\n"
