"""When a re-exec would keep an outdated environment, and what is done then."""

from __future__ import annotations

import pytest

from unicorn_handover.driver.preflight import Preflight
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import SERVERS, Launch

from ..fake_listener import Made
from ..fake_process import Fake
from ..fake_system import FakeSystem
from ..fake_unicorn import Unicorn

LATER = 1e9  # ticks, after every start
LAUNCH = Launch("program:web", "directory", ("unicorn", "-c", "u.rb"), "/srv", "/srv")
PRELOADS = "working_directory '/srv'\npreload_app true\n"


@pytest.fixture
def system() -> FakeSystem:
    """A kernel on which /srv is a directory."""
    system = FakeSystem()
    system.files["/srv/config.ru"] = "run App\n"
    return system


def serving(system: FakeSystem, settings: str = PRELOADS) -> Fake:
    """A unicorn that serves in /srv, with a listener that can be copied."""
    master = Unicorn(system).start()
    master.cwd = "/srv"
    system.files["/srv/u.rb"] = settings
    system.listening[master.pid] = [Made(5, keep_alive=True)]
    return master


def change(system: FakeSystem, name: str) -> None:
    """Let a file in /srv be changed after every start."""
    system.files[f"/srv/{name}"] = ""
    system.changes[f"/srv/{name}"] = LATER


def method(
    system: FakeSystem, master: Fake, launch: Launch = LAUNCH, server: str = "unicorn"
) -> tuple[str, str]:
    """How the new master is to be started, and why."""
    held = system.hold(master.pid)
    looks = Preflight(system, held, SERVERS[server], launch)  # type: ignore[arg-type]
    record = Record("web", 1, Phase.CHECKING, MasterId(master.pid, master.start), 0, 0)
    return looks.method(record.but(method="auto"))


@pytest.mark.parametrize("name", [".env", ".env.production", ".env.production.local", "Gemfile"])
def test_a_changed_file_is_read_by_a_master_that_the_host_starts(
    system: FakeSystem, name: str
) -> None:
    """One that was there before the start is not, and gives no reason."""
    master = serving(system)
    system.files[f"/srv/{name}"] = ""
    assert method(system, master) == ("usr2", "")
    change(system, name)
    why = f"/srv/{name} was changed since pid {master.pid} was started"
    assert method(system, master) == ("spawn", f"{why}, and a re-exec keeps the environment")


@pytest.mark.parametrize("name", [".env.example", ".env.sample", ".environment", "Gemfile.lock"])
def test_other_files_are_not_the_environment_s(system: FakeSystem, name: str) -> None:
    """Nobody takes a variable from them."""
    master = serving(system)
    change(system, name)
    assert method(system, master) == ("usr2", "")


@pytest.mark.parametrize(
    ("settings", "command", "expected"),
    [
        ("", ("unicorn",), "usr2"),
        ("preload_app false # not true\n", ("unicorn",), "usr2"),
        ("  preload_app(true)\n", ("unicorn",), "spawn"),
        ("require 'dotenv/load'\n", ("unicorn",), "spawn"),
        ("require 'bundler/setup'\n", ("unicorn",), "spawn"),
        ("", ("/usr/bin/bundle", "exec", "unicorn"), "spawn"),
    ],
)
def test_the_master_must_have_read_it(
    system: FakeSystem, settings: str, command: tuple[str, ...], expected: str
) -> None:
    """What a worker has read is not in the master's environment."""
    master = serving(system, f"working_directory '/srv'\n{settings}")
    change(system, ".env")
    launch = Launch("program:web", "directory", command, "/srv", "/srv")
    assert method(system, master, launch)[0] == expected


def test_where_no_master_can_be_started_it_re_executes_itself(system: FakeSystem) -> None:
    """As it did before, and the reason is told: the environment may be as good as it was."""
    master = serving(system)
    change(system, ".env")
    system.denied = "user 0 may not copy the sockets"
    way, why = method(system, master)
    assert way == "usr2" and why.startswith("not renewed: /srv/.env was changed since pid ")
    assert why.endswith(", but user 0 may not copy the sockets")


def test_a_gunicorn_s_re_exec_has_the_first_environment(system: FakeSystem) -> None:
    """So nothing speaks against it."""
    words = ["python3", "/v/gunicorn", "--preload", "app"]
    beats = {7: (system.now, 0o600)}
    master = system.add(ppid=1, forked=False, words=words, cwd="/srv", heartbeats=beats)
    master.catches = set(serving(system).catches)
    change(system, ".env")
    assert method(system, master, LAUNCH, "gunicorn") == ("usr2", "")
