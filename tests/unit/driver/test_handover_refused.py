"""What is refused before the first signal."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGUSR2

import pytest

from unicorn_handover.model.phases import Phase

from .history import History

REFUSALS: dict[str, tuple[Callable[[History], object], str]] = {
    "no handler": (lambda h: h.old.catches.clear(), "was still starting"),
    "not a server": (lambda h: setattr(h.old, "words", ["/bin/sh", "-c", "x"]), "is no unicorn"),
    "no directory": (
        lambda h: (setattr(h.old, "cwd", "/nosuch"), setattr(h.old, "words", ["unicorn master"])),
        "the working directory",
    ),
    "no executable": (lambda h: setattr(h.old, "executable", "/nosuch"), "the executable"),
    "no script": (
        lambda h: setattr(h.old, "words", ["python3", "/nosuch/gunicorn", "a:b"]),
        "the script",
    ),
    "two masters": (lambda h: h.old.obey(SIGUSR2), "already has a new"),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_refused_before_the_first_signal(fault: str) -> None:
    """What cannot be re-executed is told what it lacks, and gets no signal."""
    history = History()
    harm, reason = REFUSALS[fault]
    harm(history)
    history.system.advance_to(history.system.now + 0.1)
    record = history.run()
    assert record.phase is Phase.FAILED and reason in record.reason, record.reason
    assert history.system.signals == [] and history.phases == ["checking", "failed"]


def test_an_old_master_that_ends_while_it_is_checked() -> None:
    """What a zombie does not show any more is no fault of the program's configuration."""
    history = History()
    command_line = history.system.command_line

    def then_it_ends(pid: int) -> list[str]:
        if pid == history.old.pid and history.old.alive:
            history.system.end(history.old)
        return command_line(pid)

    history.system.command_line = then_it_ends  # type: ignore[method-assign]
    assert history.run().reason == "the old master ended before the handover began"


@pytest.mark.parametrize("at_first", [True, False])
def test_an_old_master_that_is_about_to_end(at_first: bool) -> None:
    """It has no command line from then on; that it is dead shows a moment later."""
    history = History()
    command_line = history.system.command_line

    def ends() -> None:
        history.system.zombies.add(history.old.pid)
        history.old.words = [""]
        history.system.later(0.3, lambda: history.system.end(history.old))

    def then_it_ends(pid: int) -> list[str]:
        if pid == history.old.pid and pid not in history.system.zombies:
            ends()
        return command_line(pid)

    if at_first:
        ends()
    history.system.command_line = then_it_ends  # type: ignore[method-assign]
    assert history.run().reason == "the old master ended before the handover began"


def test_a_program_that_is_not_the_server_it_is_said_to_be() -> None:
    """The `server` option takes no proof's place: a shell would die of USR2."""
    history = History(server="unicorn")
    history.old.words, history.old.catches = ["/bin/sh", "-c", "x"], set()
    record = history.run()
    assert "is not a running unicorn master, so USR2 would kill it" in record.reason
    assert history.system.signals == [] and record.ended - record.began < 1
