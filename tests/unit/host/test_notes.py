"""What is remembered is read without trust, and nothing of it stops a host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from unicorn_handover.kernel.private_folder import PrivateFolder
from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost, id_of
from .remembering import full_disk, killed, note_of, remembering

Change = Callable[[dict[str, Any]], object]
NONSENSE: dict[str, Change] = {
    "version": lambda note: note.update(version=99),
    "host": lambda note: note.update(host="supervisord /etc/other.conf"),
    "program": lambda note: note.update(program="api"),
    "boot": lambda note: note.update(boot="boot-0"),
    "no group": lambda note: note.update(group="all"),
    "no master": lambda note: note.update(master=[1]),
    "no pid": lambda note: note.update(master=["a", "b"]),
    "no start": lambda note: note.update(master=[[], {}]),
    "no handovers": lambda note: note.update(handovers=[]),
    "empty": lambda note: note.clear(),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_note_that_is_none(first: FakeHost, state: Path, name: str) -> None:
    """One line, and it is as if there were none."""
    first.start(first.web)
    fields = json.loads(note_of(state).read_bytes())
    NONSENSE[name](fields)
    note_of(state).write_text(json.dumps(fields))
    host = killed(first, state)
    assert host.web.survival.find() is None and len(host.lines) == 1, host.lines


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"null", b"[" * 100000, b"\xff\xfe"])
def test_a_note_that_is_cut_or_something_else(first: FakeHost, state: Path, data: bytes) -> None:
    """The same."""
    first.start(first.web)
    note_of(state).write_bytes(data)
    host = killed(first, state)
    assert host.web.survival.find() is None and len(host.lines) == 1, host.lines


def test_handovers_that_are_nonsense(first: FakeHost, state: Path) -> None:
    """The master is taken over all the same: nothing is doubled."""
    fake = first.start(first.web)
    fields = json.loads(note_of(state).read_bytes())
    fields["handovers"]["ended"] = [{"phase": "sleeping"}]
    note_of(state).write_text(json.dumps(fields))
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.master == id_of(fake)
    assert [line for line in host.lines if "earlier handovers are not known" in line]


def test_a_disk_that_takes_nothing(first: FakeHost, state: Path) -> None:
    """One line, once; the host goes on."""
    with full_disk():
        first.start(first.web)
        first.request(first.web)
        first.tick()
        assert len([line for line in first.lines if "cannot write in" in line]) == 1
    first.tick()
    assert note_of(state).exists()


def test_a_disk_that_takes_some(first: FakeHost, state: Path) -> None:
    """Still one line: what fits into its old place says nothing of the others."""
    first.start(first.web)
    write = PrivateFolder.write

    def write_web(folder: PrivateFolder, name: str, data: bytes) -> None:
        if not name.startswith("web"):
            raise OSError(28, "No space left on device")
        write(folder, name, data)

    with mock.patch.object(PrivateFolder, "write", write_web):
        first.start(first.api)
        first.request(first.web)
        first.tick()
    assert len([line for line in first.lines if "cannot write in" in line]) == 1


def test_a_folder_that_is_taken_away(first: FakeHost, state: Path) -> None:
    """All is written anew, by a host at rest as well; it is told of, and locked as before."""
    first.start(first.web)
    first.start(first.api)
    before = {path.name: path.read_bytes() for path in state.glob("*/*.json")}
    shutil.rmtree(state)
    first.tick()
    assert {path.name: path.read_bytes() for path in state.glob("*/*.json")} == before
    assert [line for line in first.lines if "was taken away, and is made again" in line]
    assert remembering(FakeHost(), state).notes is None
    shutil.rmtree(state)
    first.request(first.web)
    assert note_of(state).exists() and len(first.lines) == 3


def test_a_folder_that_another_host_has_by_now(first: FakeHost, state: Path) -> None:
    """Its own notes stay as they are; one line says so, and nothing is left to the next host."""
    first.start(first.web)
    shutil.rmtree(state)
    second = remembering(FakeHost(), state)
    second.start(second.web)
    theirs = note_of(state).read_bytes()
    first.tick()
    first.start(first.api)
    first.tick()
    first.api.survival.forget()
    first.web.survival.forget()
    assert note_of(state).read_bytes() == theirs and not list(state.glob("*/api-*"))
    (line,) = first.lines
    assert "another process holds" in line
    first.close_notes()
    assert second.notes and remembering(FakeHost(), state).notes is None
    second.tick()
    assert second.lines == []


def test_a_child_makes_no_folder(first: FakeHost, state: Path) -> None:
    """It would hold that until its exec alone; the host makes it, and writes all it knows."""
    fake = first.start(first.web)
    shutil.rmtree(state)
    first.web.survival.note_child(id_of(fake))
    assert not state.exists()
    first.web.survival.note()
    assert note_of(state).exists()


def test_programs_that_are_not_configured_any_more(first: FakeHost, state: Path) -> None:
    """What runs on of them is reported, and stays remembered; what has ended is forgotten."""
    first.start(first.web)
    api = first.start(first.api)
    first.kernel.end(api)
    host = killed(first, state)
    assert host.notes
    host.notes.report_others([])
    (line,) = host.lines
    assert "web is not configured any more, and runs on as pid" in line and "kill -QUIT" in line
    assert note_of(state).exists() and not list(state.glob("*/api-*"))


def test_a_second_host(first: FakeHost, state: Path) -> None:
    """It gets nothing of the first one's, and remembers nothing; one line says so."""
    first.start(first.web)
    second = remembering(FakeHost(), state)
    assert second.notes is None and len(second.lines) == 1
    assert "another process holds" in second.lines[0]
    assert second.web.survival.find() is None


def test_both_masters_of_a_handover_are_reported(first: FakeHost, state: Path) -> None:
    """Of a program that is not configured any more: the end of one would leave the other."""
    old = first.start(first.web)
    first.request(first.web)
    new = first.successor(old)
    first.drive(Phase.BOOTING, new=id_of(new))
    host = killed(first, state)
    assert host.notes
    host.notes.report_others([])
    assert f"runs on as pid {old.pid} and pid {new.pid}, left" in host.lines[0]
    assert f"`kill -QUIT {old.pid} {new.pid}`" in host.lines[0]
    host.kernel.end(old)
    host.notes.report_others([])
    assert f"`kill -QUIT {new.pid}`" in host.lines[1]


def test_a_gunicorn_that_is_not_configured_any_more(first: FakeHost, state: Path) -> None:
    """Its graceful signal is named: QUIT would cut its requests."""
    fake = first.start(first.web, ["gunicorn: master [app:application]"])
    host = killed(first, state)
    assert host.notes
    host.notes.report_others([])
    assert f"`kill -TERM {fake.pid}`" in host.lines[0]


def test_what_needs_no_writing(first: FakeHost, state: Path) -> None:
    """A file is written when there is something to be remembered, not at every ready worker."""
    first.start(first.web)
    first.request(first.web)
    first.drive(Phase.BOOTING, server="unicorn")
    before = note_of(state).stat().st_ino
    running = first.web.handovers.running
    assert running
    first.take(running.but(ready=1, total=2).to_json())
    assert note_of(state).stat().st_ino == before
    first.drive(Phase.DRAINING)
    assert note_of(state).stat().st_ino != before
