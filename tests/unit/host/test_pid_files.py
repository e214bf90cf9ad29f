"""A pid file that only the server knows: learned from the refusal of a new master."""

from __future__ import annotations

from pathlib import Path

import pytest

from unicorn_handover.host.pid_files import TakenPidFiles
from unicorn_handover.model.phases import Phase
from unicorn_handover.servers import SERVERS

from ..fake_host import FakeHost, id_of
from ..fake_listener import Made
from .starting import Starting, begin, pid_files, starting_host


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host with a running program, whose section has changed, and a driver."""
    return starting_host(tmp_path, Made(5, keep_alive=True))


def refuse(host: FakeHost, written: str) -> None:
    """Let the new master that was started last write something and end, and its host reap it."""
    section = host.web.supervised
    assert isinstance(section, Starting)
    host.web.output.add("stderr", f"{written}\n".encode())
    host.kernel.end(section.started[-1])
    host.web.beside.ended()
    host.wait(1)


def computed(host: FakeHost, tmp_path: Path) -> Path:
    """A pid file of the old master's that no configuration tells."""
    path = tmp_path / "computed.pid"
    path.write_text(f"{host.old.pid}\n")  # type: ignore[attr-defined]
    return path


REFUSALS = {
    "unicorn": "in `pid=': Already running on PID:{} (or pid={} is stale) (ArgumentError)",
    "gunicorn": "Error: Already running on PID {} (or pid file '{}' is stale)",
}


@pytest.mark.parametrize(("server", "refusal"), REFUSALS.items())
def test_it_is_learned_from_the_servers_own_words(
    host: FakeHost, tmp_path: Path, server: str, refusal: str
) -> None:
    """And once: the same step helps no second time."""
    path, old = computed(host, tmp_path), id_of(host.old)  # type: ignore[attr-defined]
    taken, written = TakenPidFiles(host.system), refusal.format(old.pid, path)
    assert taken.learn(SERVERS[server], old, f"x\n{written}\n") == str(path)
    assert taken.learn(SERVERS[server], old, written) == "" and taken.paths == [str(path)]


def test_another_master_is_started_in_the_same_handover(host: FakeHost, tmp_path: Path) -> None:
    """What is said of the first one is old; the next handover knows the path."""
    path = computed(host, tmp_path)
    section, refusal = begin(host), REFUSALS["unicorn"]
    host.drive(Phase.BOOTING, new=id_of(section.started[0]))
    refuse(host, refusal.format(host.old.pid, path))  # type: ignore[attr-defined]
    first, second = section.started
    running = host.web.handovers.running
    assert running and running.phase is Phase.STARTING and running.new == id_of(second)
    assert running.number == 1 and "computed.pid.oldbin" in pid_files(tmp_path)
    host.drive(Phase.FAILED, new=id_of(first), reason="the new master ended")
    assert host.web.handovers.running is running
    host.drive(Phase.BOOTING, new=id_of(second))
    assert any(f"found its pid file taken, {path};" in line for line in host.lines)
    refuse(host, refusal.format(host.old.pid, path))  # type: ignore[attr-defined]
    assert len(section.started) == 2 and path.exists()  # the same step helps no second time
    host.drive(Phase.FAILED, new=id_of(second), reason="the new master ended")
    assert host.web.handovers.ended[-1].phase is Phase.FAILED
    begin(host)
    assert "computed.pid.oldbin" in pid_files(tmp_path)  # the next one knows it


def test_a_refusal_that_only_the_driver_has_read(host: FakeHost, tmp_path: Path) -> None:
    """It stands in a log of the server's own; the failure of the first master is not the end."""
    path, section = computed(host, tmp_path), begin(host)
    host.drive(Phase.BOOTING, new=id_of(section.started[0]))
    host.kernel.end(section.started[0])
    host.web.beside.ended()
    told = REFUSALS["unicorn"].format(host.old.pid, path)  # type: ignore[attr-defined]
    for master in (0, 1):
        new = id_of(section.started[master])
        host.drive(Phase.FAILED, new=new, reason="it ended", output=("x", told))
        host.wait(1)
        running = host.web.handovers.running
        assert (running is not None and running.new == id_of(section.started[-1])) == (master == 0)
        if master == 0:
            host.drive(Phase.BOOTING, new=id_of(section.started[1]))
            host.kernel.end(section.started[1])
            host.web.beside.ended()
    assert len(section.started) == 2 and path.exists()


@pytest.mark.parametrize(
    "refusal",
    [
        "in `pid=': Already running on PID:{old} (or pid=/not/there is stale)",
        "in `pid=': Already running on PID:{old} (or pid={other} is stale)",
        "in `pid=': Already running on PID:1 (or pid={path} is stale)",
    ],
)
def test_a_refusal_that_does_not_fit_teaches_nothing(
    host: FakeHost, tmp_path: Path, refusal: str
) -> None:
    """An unreadable file, one that names somebody else, and one of another master."""
    path, other = computed(host, tmp_path), tmp_path / "other.pid"
    other.write_text("1\n")
    section = begin(host)
    refuse(host, refusal.format(old=host.old.pid, path=path, other=other))  # type: ignore[attr-defined]
    assert len(section.started) == 1 and path.exists() and other.exists()


@pytest.mark.parametrize("way", ["stop", "rollback"])
def test_no_other_one_is_started_against_a_command(
    host: FakeHost, tmp_path: Path, way: str
) -> None:
    """A program that is stopped, or a handover that is rolled back, wants no new master."""
    path = computed(host, tmp_path)
    section = begin(host)
    if way == "stop":
        host.web.handovers.cancel("the program was stopped")
    else:
        host.web.handovers.steer("rollback", driver_is_there=True)
    refuse(host, REFUSALS["unicorn"].format(host.old.pid, path))  # type: ignore[attr-defined]
    assert len(section.started) == 1 and path.exists()
