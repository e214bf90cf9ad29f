"""What a running master was told, read without running anything: directories and pid files."""

from __future__ import annotations

import os

import pytest

from unicorn_handover.servers import SERVERS, Configured, Launch

from ..fake_process import Fake
from ..fake_system import FakeSystem

UNICORN, GUNICORN = SERVERS["unicorn"], SERVERS["gunicorn"]
OLD, NEW = "/srv/releases/1", "/srv/releases/2"


@pytest.fixture
def system() -> FakeSystem:
    """A kernel with no process, and a link to a second release."""
    system = FakeSystem()
    system.links["/srv/current"] = NEW
    return system


def add(system: FakeSystem, words: str, cwd: str = "/srv", **environ: str) -> Fake:
    """A serving master."""
    environ.setdefault("PATH", "/bin")
    return system.add(ppid=1, forked=False, words=words.split("|"), cwd=cwd, environ=environ)


def unicorn(system: FakeSystem, line: str) -> Configured:
    """What a unicorn was told that was started in /srv with this line in its configuration."""
    system.files["/etc/u.rb"] = f"listen 80\n{line}\n"
    master = add(system, "unicorn master -c /etc/u.rb -E production")
    return UNICORN.configured(system, master.pid, Launch())


def gunicorn(system: FakeSystem, words: str, line: str = "", **environ: str) -> Configured:
    """What a gunicorn was told that was started in /srv with this line in gunicorn.conf.py."""
    system.files["/srv/gunicorn.conf.py"] = f"workers = 2\n{line}\n"
    master = add(system, f"/usr/bin/python3|/usr/bin/gunicorn|{words}app:app", **environ)
    return GUNICORN.configured(system, master.pid, Launch())


@pytest.mark.parametrize(
    ("line", "directory", "named"),
    [
        ("", "/srv", False),
        ("# working_directory '/else'", "/srv", False),
        ('working_directory "/srv/web"', "/srv/web", True),
        ("working_directory('/srv/web')  # here", "/srv/web", True),
        ("working_directory '/a'\nworking_directory '/b'", "/b", True),
        ('working_directory "#{app}/current"', "", True),
        ('working_directory "~/app"', "", True),
        ("working_directory APP", "", True),
        ('working_directory "/a" + RELEASE', "", True),
        ('if ENV["X"]\n  working_directory "/a"\nend', "", True),
    ],
)
def test_the_directory_that_unicorn_re_executes_in(
    system: FakeSystem, line: str, directory: str, named: bool
) -> None:
    """A setting that only ruby can read is not taken for a path, and hides the first directory."""
    told = unicorn(system, line)
    assert (told.directory, told.names_directory) == (directory, named)


@pytest.mark.parametrize(
    ("words", "line", "named"),
    [
        ("", "", False),
        ("--chdir|/srv/current|", "", True),
        ("--chdir=/srv/current|", "", True),
        ("--chdir|app|", "", False),
        ("", 'chdir = "/srv/current"', True),
        ("", "chdir = HERE", True),
        ("", 'if x:\n    chdir = "/srv/current"', True),
        ("", '# chdir = "/srv/current"', False),
        ("-c|/nosuch.py|", "", True),
        ("-c|python:conf|", "", True),
    ],
)
def test_what_directory_gunicorn_loads_the_application_in(
    system: FakeSystem, words: str, line: str, named: bool
) -> None:
    """It re-executes where it was started; an absolute `chdir` leads to the new release there."""
    told = gunicorn(system, words, line)
    assert (told.directory, told.names_directory) == ("/srv", named)


@pytest.mark.parametrize("server", [UNICORN, GUNICORN], ids=["unicorn", "gunicorn"])
class TestTheNameOfTheFirstDirectory:
    """Both servers keep PWD if it was the working directory; a shell's `cd current` makes it so."""

    def directory(self, system: FakeSystem, server: object, directory: str = "", **env: str) -> str:
        """Where a master re-executes itself that runs in the first release."""
        words = "unicorn master" if server is UNICORN else "python3|gunicorn|app"
        master = add(system, words, OLD, **env)
        return server.configured(system, master.pid, Launch(directory=directory)).directory  # type: ignore[attr-defined,no-any-return]

    def test_a_link_that_has_moved(self, system: FakeSystem, server: object) -> None:
        """The link is where it goes, and the first release may be gone."""
        assert self.directory(system, server, PWD="/srv/current") == "/srv/current"

    def test_none(self, system: FakeSystem, server: object) -> None:
        """Without PWD, or with the same directory in it."""
        assert self.directory(system, server) == OLD
        assert self.directory(system, server, PWD=OLD) == OLD

    def test_another_directory(self, system: FakeSystem, server: object) -> None:
        """What is no link cannot have moved, so it was another directory from the beginning."""
        assert self.directory(system, server, PWD="/root") == OLD

    def test_that_of_the_host(
        self, system: FakeSystem, server: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A host changes the directory, and passes on its own PWD."""
        monkeypatch.setitem(os.environ, "PWD", "/srv/current")
        assert self.directory(system, server, "/srv/other", PWD="/srv/current") == OLD
        assert self.directory(system, server, "", PWD="/srv/current") == "/srv/current"
        assert self.directory(system, server, "/srv/current", PWD="/srv/current") == "/srv/current"


@pytest.mark.parametrize("where", ["the link", "the section"])
def test_a_relative_configuration_file_of_unicorn(system: FakeSystem, where: str) -> None:
    """It is read where a re-exec would look for it, or else where the host would start unicorn."""
    system.files[f"{NEW}/config/u.rb"] = 'working_directory "/srv/current"'
    by_link = where == "the link"
    environ = {"PWD": "/srv/current"} if by_link else {}
    master = add(system, "unicorn master -c config/u.rb", OLD, **environ)
    launch = Launch(directory="" if by_link else "/srv/current")
    told = UNICORN.configured(system, master.pid, launch)
    assert told == Configured("/srv/current", True, "")


def test_a_configuration_that_cannot_be_read(system: FakeSystem) -> None:
    """Nothing is known of a unicorn then, and so nothing is refused."""
    master = add(system, "unicorn master -c config/u.rb", OLD)
    assert UNICORN.configured(system, master.pid, Launch()) == Configured("", True, None)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("", ""),
        ('pid "/run/web.pid"', "/run/web.pid"),
        ("pid '/run/web.pid' # here", "/run/web.pid"),
        ('pid("tmp/pid")', "/srv/tmp/pid"),
        ('working_directory "/app"\npid "tmp/pid"', "/app/tmp/pid"),
        ('pid "#{shared}/web.pid"', None),
        ("pid PATH", None),
        ("pidfile 'x'", ""),
    ],
)
def test_the_pid_file_of_unicorn(system: FakeSystem, line: str, path: str | None) -> None:
    """It is the last one that the configuration names; what only ruby knows is not known."""
    assert unicorn(system, line).pidfile == path


@pytest.mark.parametrize(
    ("words", "line", "path"),
    [
        ("", "", ""),
        ("-p|/run/a|", "", "/run/a"),
        ("-p/run/a|", "", "/run/a"),
        ("--pid=run/a|", "", "/srv/run/a"),
        ("-p|/run/a|", 'pidfile = "/run/b"', "/run/a"),
        ("", 'pidfile = "/run/b"', "/run/b"),
        ("", "pidfile = '/run/b'  # here", "/run/b"),
        ("", "pidfile = f'{run}/b'", None),
        ("-c|python:conf|", "", None),
    ],
)
def test_the_pid_file_of_gunicorn(
    system: FakeSystem, words: str, line: str, path: str | None
) -> None:
    """The command line counts for more than the configuration file."""
    assert gunicorn(system, words, line).pidfile == path


def test_gunicorn_s_own_variable(system: FakeSystem) -> None:
    """GUNICORN_CMD_ARGS counts for more than the file, and for less than the command line."""
    variable = "--pid /run/c --chdir /srv/current"
    told = gunicorn(system, "", 'pidfile = "/run/b"', GUNICORN_CMD_ARGS=variable)
    assert told == Configured("/srv", True, "/run/c", 30, "/srv/current")
    assert gunicorn(system, "-p|/run/a|", GUNICORN_CMD_ARGS=variable).pidfile == "/run/a"


def test_a_gunicorn_under_a_title(system: FakeSystem) -> None:
    """The title is over the command line and the environment: the host's command is read."""
    master = system.add(ppid=1, forked=False, words=["gunicorn: master [app:app]"], cwd="/srv")
    launch = Launch(command=("/venv/bin/gunicorn", "-p", "/run/a", "app:app"))
    assert GUNICORN.configured(system, master.pid, launch).pidfile == "/run/a"


@pytest.mark.parametrize(
    ("words", "line", "seconds"),
    [
        ("", "", 30),
        ("", "graceful_timeout = 90  # seconds", 90),
        ("--graceful-timeout|5|", "graceful_timeout = 90", 5),
        ("", "graceful_timeout = 2 * 60", None),
        ("-c|python:conf|", "", None),
    ],
)
def test_how_long_gunicorn_drains(
    system: FakeSystem, words: str, line: str, seconds: float | None
) -> None:
    """It kills its workers after that; unicorn waits for them."""
    assert gunicorn(system, words, line).drain_limit == seconds
    assert unicorn(system, "timeout 30").drain_limit is None
