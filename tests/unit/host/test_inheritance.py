"""What a new master that the host starts takes over from the old one."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from unicorn_handover.errors import NotYet, Refused
from unicorn_handover.host.copies import Command
from unicorn_handover.host.inheritance import Inheritance
from unicorn_handover.servers import SERVERS

from ..fake_listener import Made
from ..fake_system import FakeSystem

OLD = 100


@pytest.fixture
def web() -> Made:
    """The old master's own socket."""
    return Made(5, close_on_exec=False)


@pytest.fixture
def system(tmp_path: Path, web: Made) -> FakeSystem:
    """A gunicorn with a pid file; `web.pid` is named by its command line alone."""
    system = FakeSystem()
    words = ["python", "gunicorn", "-p", "web.pid", "app:app"]
    old = system.add(ppid=1, forked=False, words=words, cwd=str(tmp_path))
    system.listening[old.pid] = [web, Made(6)]
    (tmp_path / "web.pid").write_text(f"{OLD}\n")
    return system


def take(system: FakeSystem, *words: str, pidfile: str = "", patient: bool = False) -> Inheritance:
    """What a new command takes over."""
    directory = system.processes[OLD].cwd
    command = Command(["gunicorn", *words, "app:app"], directory)
    old, server = SimpleNamespace(pid=OLD), SERVERS["gunicorn"]
    return Inheritance(system, old, server, command, patient, [pidfile])  # type: ignore[arg-type]


def files(tmp_path: Path) -> list[str]:
    """The names of the pid files."""
    return sorted(path.name for path in tmp_path.iterdir())


def test_sockets_and_pid_file_are_taken_over(system: FakeSystem, web: Made, tmp_path: Path) -> None:
    """The copies are closed when the new master has them, the rest is unlinked in the end."""
    taken = take(system)
    assert taken.sockets == [web] and files(tmp_path) == ["web.pid.oldbin"]
    assert taken.variables([3]) == {"GUNICORN_FD": "3", "GUNICORN_PID": f"{OLD}"}
    taken.close()
    assert web.closed
    (tmp_path / "web.pid").write_text("101\n")
    taken.close()
    taken.moved.forget(new=43)
    assert files(tmp_path) == ["web.pid"] and (tmp_path / "web.pid").read_text() == "101\n"


def test_all_is_given_back_after_a_failure(system: FakeSystem, web: Made, tmp_path: Path) -> None:
    """As if nothing had been begun."""
    take(system).give_back()
    assert files(tmp_path) == ["web.pid"] and web.closed


@pytest.mark.parametrize("where", ["option", "command line"])
def test_the_new_commands_pid_file_makes_way_too(
    system: FakeSystem, tmp_path: Path, where: str
) -> None:
    """Wherever it is named, if it holds the old master's pid."""
    path = tmp_path / "other.pid"
    path.write_text(f"{OLD}\n")
    stranger = tmp_path / "stranger.pid"
    stranger.write_text("42\n")
    words = ["-p", str(path)] if where == "command line" else ["-p", str(stranger)]
    taken = take(system, *words, pidfile=str(path) if where == "option" else "")
    assert files(tmp_path) == ["other.pid.oldbin", "stranger.pid", "web.pid.oldbin"]
    taken.give_back()
    assert files(tmp_path) == ["other.pid", "stranger.pid", "web.pid"]


def test_a_new_address_is_refused_where_it_would_be_ignored(
    system: FakeSystem, web: Made, tmp_path: Path
) -> None:
    """The line names both; nothing was touched."""
    with pytest.raises(Refused, match=r"serves on 127.0.0.1:80, but 127.0.0.1:81 is configured"):
        take(system, "-b", "127.0.0.1:81")
    assert files(tmp_path) == ["web.pid"] and web.closed
    take(system, "-b", "127.0.0.1:80").close()


def test_a_relative_socket_is_where_its_master_is(
    system: FakeSystem, web: Made, tmp_path: Path
) -> None:
    """The kernel tells the path as it was bound."""
    web.path, web.name = "web.sock", "unix:web.sock"
    assert take(system, "-b", "unix:web.sock").paths == (str(tmp_path / "web.sock"),)


def test_what_is_refused_leaves_the_first_pid_file_in_its_place(
    system: FakeSystem, web: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the second of two cannot make way."""
    (tmp_path / "other.pid").write_text(f"{OLD}\n")
    rename = os.rename

    def denied(path: str, target: str) -> None:
        if path.endswith("web.pid"):
            raise PermissionError(13, "Permission denied")
        rename(path, target)

    monkeypatch.setattr("unicorn_handover.kernel.pid_file.os.rename", denied)
    with pytest.raises(Refused, match="cannot be renamed"):
        take(system, "-p", str(tmp_path / "other.pid"))
    assert files(tmp_path) == ["other.pid", "web.pid"] and web.closed


def test_a_pid_file_that_is_about_to_be_renamed_is_waited_for(
    system: FakeSystem, web: Made, tmp_path: Path
) -> None:
    """A gunicorn that was re-executed has another one until it has noticed that it is alone."""
    (tmp_path / "web.pid").rename(tmp_path / "web.pid.2")
    with pytest.raises(NotYet):
        take(system, patient=True)
    assert files(tmp_path) == ["web.pid.2"] and web.closed
    take(system).close()  # and not for ever
