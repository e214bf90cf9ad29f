"""Which sockets are a server's own, how a new master takes them, and where pid files are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from unicorn_handover.errors import Refused
from unicorn_handover.family.served import copy_served
from unicorn_handover.kernel.listeners import Listener
from unicorn_handover.servers import SERVERS

from ..fake_listener import Made
from ..fake_system import FakeSystem

UNICORN, GUNICORN = SERVERS["unicorn"], SERVERS["gunicorn"]


def own(server: str, *found: Made, words: str = "", environ: str = "", settings: str = "") -> list:
    """The numbers of those that a master of the server serves on."""
    system = FakeSystem()
    system.files["/u.rb"] = settings
    system.files["/proc/sys/net/core/somaxconn"] = "4096\n"
    variables = {"UNICORN_FD": environ} if environ else {}
    master = system.add(ppid=1, forked=False, words=[words], environ=variables)
    listeners: list[Listener] = list(found)  # type: ignore[arg-type]
    return [each.number for each in SERVERS[server].own_listeners(system, master.pid, listeners)]


def test_gunicorns_own_outlive_an_exec() -> None:
    """Its control socket, and what the app listens on, do not."""
    assert own("gunicorn", Made(5, close_on_exec=False), Made(6), Made(7, "/ctl")) == [5]


def test_unicorns_tcp_listeners_have_keep_alive() -> None:
    """An app's TCPServer has not, and both are close-on-exec."""
    assert own("unicorn", Made(7), Made(10, keep_alive=True), Made(12, keep_alive=True)) == [10, 12]


def test_unicorns_unix_listeners_have_its_backlog_or_are_named() -> None:
    """An app's UNIXServer has ruby's backlog."""
    app, web = Made(8, "/run/app.sock", backlog=4096), Made(9, "/run/web.sock")
    assert own("unicorn", app, web) == [9]
    named = Made(9, "/run/web.sock", backlog=4096)
    config = {"words": "unicorn master -c /u.rb", "settings": 'listen "#{root}/web.sock"'}
    assert own("unicorn", app, named, **config) == [9]
    assert own("unicorn", named) == [9]


def test_a_re_executed_unicorn_has_its_listeners_named() -> None:
    """By UNICORN_FD, whatever their options are."""
    app, web = Made(8, "/run/app.sock", backlog=4096), Made(9, "/run/web.sock", backlog=4096)
    assert own("unicorn", app, web, environ="9") == [9]


def test_what_cannot_be_told_apart_is_refused() -> None:
    """Rather than to serve HTTP on an app's own socket; the line says what to write where."""
    app, web = Made(8, "/run/app.sock", backlog=4096), Made(9, "/run/web.sock", backlog=4096)
    with pytest.raises(Refused, match=r"/run/app.sock, /run/web.sock.*write `listen"):
        own("unicorn", app, web)


def served(*found: Made) -> list[Listener]:
    """What is copied of a gunicorn master."""
    system = FakeSystem()
    fake = system.add(ppid=1, forked=False, words=["gunicorn: master [web]"])
    system.listening[fake.pid] = list(found)
    master = SimpleNamespace(pid=fake.pid)
    return copy_served(system, master, GUNICORN)  # type: ignore[arg-type]


def test_only_the_servers_own_stay_open() -> None:
    """The copies of the others are closed at once."""
    web, control = Made(5, close_on_exec=False), Made(6)
    assert served(web, control) == [web]
    assert control.closed and not web.closed


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([Made(6)], "no listening socket"),
        ([Made(5, close_on_exec=False, reuse_port=True), Made(6)], "127.0.0.1:80.*SO_REUSEPORT"),
    ],
)
def test_what_cannot_be_served_on_is_refused(found: list[Made], reason: str) -> None:
    """And no copy is left open."""
    with pytest.raises(Refused, match=reason):
        served(*found)
    assert all(each.closed for each in found)


def test_a_refused_copy_is_a_refused_handover() -> None:
    """With the kernel's reason."""
    system = FakeSystem()
    system.denied = "user 1 may not copy the sockets of pid 2: CAP_SYS_PTRACE"
    with pytest.raises(Refused, match="CAP_SYS_PTRACE"):
        copy_served(system, SimpleNamespace(pid=2), GUNICORN)  # type: ignore[arg-type]


def test_each_server_has_its_variables() -> None:
    """gunicorn's name the old master too, and are never LISTEN_FDS."""
    assert UNICORN.handed([3, 25], 42) == {"UNICORN_FD": "3,25"}
    assert GUNICORN.handed([3, 25], 42) == {"GUNICORN_FD": "3,25", "GUNICORN_PID": "42"}


@pytest.mark.parametrize(
    ("words", "settings", "paths"),
    [
        ("unicorn -c u.rb", 'pid "/run/u.pid"', ["/run/u.pid"]),
        ("unicorn -c u.rb", "  pid('tmp/u.pid') # there", ["/srv/tmp/u.pid"]),
        ("unicorn master -c /srv/u.rb -E none", 'pid "/run/u.pid"', ["/run/u.pid"]),
        ("unicorn -c u.rb", 'pid "#{root}/u.pid"', []),
        ("unicorn -c u.rb", "# pid '/run/u.pid'\npids '/x'", []),
        ("unicorn -P /run/p.pid -c u.rb", "", ["/run/p.pid"]),
        ("unicorn", 'pid "/run/u.pid"', []),
    ],
)
def test_unicorns_pid_file(words: str, settings: str, paths: list[str]) -> None:
    """Found where it is written plainly; what ruby would have to put together is not guessed."""
    system = FakeSystem()
    system.files["/srv/u.rb"] = settings
    assert UNICORN.pid_files(system, words.split(), "/srv", {}) == paths


@pytest.mark.parametrize(
    ("words", "environ", "settings", "paths"),
    [
        ("gunicorn -p /run/g.pid app:app", "", "", ["/run/g.pid"]),
        ("gunicorn --pid=g.pid app:app", "", "", ["/srv/g.pid"]),
        ("gunicorn -pg.pid --chdir web app:app", "", "", ["/srv/web/g.pid"]),
        ("gunicorn app:app", "--pid '/run/x y.pid'", "", ["/run/x y.pid"]),
        ("gunicorn app:app", "--pid '", "", []),
        ("gunicorn app:app", "", "pidfile = '/run/g.pid'\n", ["/run/g.pid"]),
        ("gunicorn -c file:gunicorn.conf.py a:b", "", 'pidfile="/run/g.pid"', ["/run/g.pid"]),
        ("gunicorn -c other.py app:app", "", "pidfile = '/run/g.pid'\n", []),
        ("gunicorn -p /run/1.pid app:app", "", "pidfile='/2.pid'", ["/2.pid", "/run/1.pid"]),
    ],
)
def test_gunicorns_pid_file(words: str, environ: str, settings: str, paths: list[str]) -> None:
    """The command line counts more than the configuration, and is read as gunicorn reads it."""
    system = FakeSystem()
    system.files["/srv/gunicorn.conf.py"] = settings
    variables = {"GUNICORN_CMD_ARGS": environ}
    assert GUNICORN.pid_files(system, words.split(), "/srv", variables) == paths


def test_a_gunicorn_whose_directory_is_gone() -> None:
    """No configuration is read then: a relative path would lead to one of the host's own."""
    system = FakeSystem()
    system.files["gunicorn.conf.py"] = "pidfile = '/run/g.pid'\nbind = '127.0.0.1:80'\n"
    assert GUNICORN.pid_files(system, ["gunicorn", "app:app"], "", {}) == []
    assert GUNICORN.addresses(system, ["gunicorn", "app:app"], "", {}).fixed == []


@pytest.mark.parametrize(
    ("words", "settings", "names"),
    [
        ("-b 127.0.0.1:80 a:a", "", ["127.0.0.1:80"]),
        ("-b :80 --bind=[::1]:81 a:a", "", ["0.0.0.0:80", "[::1]:81"]),
        (
            "-b unix:web.sock,unix:/run/w --chdir web a:a",
            "",
            ["unix:/srv/web/web.sock", "unix:/run/w"],
        ),
        ("a:a", "bind = 'unix:/run/w'", ["unix:/run/w"]),
        ("-b 127.0.0.1:80 a:a", "bind = 'unix:/run/w'", ["127.0.0.1:80"]),
        ("-b localhost:80 a:a", "", []),
        ("-b 127.0.0.1 a:a", "", []),
        ("a:a", "bind = ['127.0.0.1:80']", []),
        ("a:a", "", []),
    ],
)
def test_gunicorns_addresses(words: str, settings: str, names: list[str]) -> None:
    """As far as they are plain: a name, a default or a list is not guessed."""
    system = FakeSystem()
    system.files["/srv/gunicorn.conf.py"] = settings
    assert GUNICORN.addresses(system, ["gunicorn", *words.split()], "/srv", {}).fixed == names


def test_unicorn_takes_new_addresses() -> None:
    """Beside those that it was given, so none are compared."""
    assert UNICORN.addresses(FakeSystem(), ["unicorn", "-l", "80"], "/srv", {}) == (["80"], [])
