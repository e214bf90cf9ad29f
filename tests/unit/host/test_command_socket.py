"""The socket between a host without a supervisor and its commands."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from unicorn_handover.errors import Refused
from unicorn_handover.host import command_socket
from unicorn_handover.host.command_socket import Answer, CommandSocket, ask
from unicorn_handover.host.handovers import KEPT
from unicorn_handover.host.selector_loop import SelectorLoop
from unicorn_handover.model.excerpt import LINES, WIDTH


def test_the_status_of_handovers_that_have_all_failed_is_whole(tmp_path: Path) -> None:
    """Each with as many lines of output as are kept, whatever is in them."""
    lines = ["\\" * WIDTH] * LINES
    statuses: list[Answer] = [{"ended": [{"output": lines}] * KEPT}]
    path, faults, heard = str(tmp_path / "control"), list[str](), list[Answer]()
    loop = SelectorLoop(time.monotonic, faults.append)
    server = CommandSocket(path, loop, lambda question: lambda: statuses[0])
    command = threading.Thread(target=lambda: heard.extend(ask(path, "status")))
    command.start()
    loop.after(30, lambda: faults.append("no answer"))
    while command.is_alive() and not faults:
        loop.after(0.01, lambda: None)
        loop.turn()
    server.close()
    command.join(30)
    assert heard == statuses and not faults


def test_a_runner_that_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been stopped by a signal: what to do is told."""
    monkeypatch.setattr(command_socket, "PATIENCE", 0.01)
    path = str(tmp_path / "control")
    loop = SelectorLoop(time.monotonic, print)
    server = CommandSocket(path, loop, lambda question: dict)
    with pytest.raises(Refused, match="has not answered for 0.01 s; resume it"):
        next(ask(path, "status"))
    server.close()
