"""What is refused before the first signal, on a kernel that is made up whole."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGTTOU

import pytest

from unicorn_handover.driver import preflight
from unicorn_handover.errors import CannotReExec, Refused
from unicorn_handover.model.options import Options
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import SERVERS, Launch

from ..fake_process import Fake
from ..fake_system import FakeSystem
from ..fake_unicorn import Unicorn

OLD, NEW = "/srv/releases/1", "/srv/releases/2"
SECTION = Launch("program:web", "directory", ("gunicorn", "app"), "/srv/current", OLD)


@pytest.fixture
def system() -> FakeSystem:
    """A kernel on which the link to the newest release has moved."""
    system = FakeSystem()
    system.links["/srv/current"] = NEW
    return system


def gunicorn(system: FakeSystem, **fields: object) -> Fake:
    """A serving gunicorn with one ready worker."""
    given = {
        "words": [f"{OLD}/venv/bin/python3", f"{OLD}/venv/bin/gunicorn", "app:app"],
        "environ": {"PATH": "/bin"},
        "cwd": "/srv",
        "catches": {SIGTTOU},
        **fields,
    }
    beats = {7: (system.now, 0o600)}
    master = system.add(ppid=given.pop("ppid", 1), forked=False, heartbeats=beats, **given)
    system.add(ppid=master.pid, forked=True, words=["x"], heartbeats=beats)
    return master


def refusal(
    system: FakeSystem, master: Fake, launch: Launch = SECTION, pidfile: str = ""
) -> Refused | None:
    """Why a master is not handed over, or None."""
    held = system.hold(master.pid)
    assert held
    try:
        server = preflight.identify(system, held, Options())  # type: ignore[arg-type]
        looks = preflight.Preflight(system, held, server, launch, pidfile)  # type: ignore[arg-type]
        looks.method(Record("web", 1, Phase.CHECKING, MasterId(1, 1), 0, 0))
    except Refused as refused:
        return refused
    return None


def cannot_re_exec(system: FakeSystem, master: Fake, launch: Launch = SECTION) -> str:
    """Why a re-exec cannot be; of a start there is no doubt."""
    refused = refusal(system, master, launch)
    assert isinstance(refused, CannotReExec)
    return str(refused)


def test_nothing_is_wrong(system: FakeSystem) -> None:
    """All that a re-exec needs is there."""
    assert refusal(system, gunicorn(system)) is None
    unicorn = Unicorn(system).start()
    assert refusal(system, unicorn) is None


def under_a_title(**fields: object) -> dict[str, object]:
    """A gunicorn whose command line and environment setproctitle has written over."""
    return {"words": ["gunicorn: master [app:app]"], "environ": {}, **fields}


@pytest.mark.parametrize(("asked", "method"), [("auto", "spawn"), ("usr2", "")])
def test_what_a_re_exec_cannot_give_can_be_started(
    system: FakeSystem, asked: str, method: str
) -> None:
    """With `auto` the host starts the new master then, and the reason is kept; else it is told."""
    system.gone.add(OLD)
    master = gunicorn(system)
    held = system.hold(master.pid)
    old = MasterId(master.pid, master.start)
    record = Record("web", 1, Phase.CHECKING, old, 0, 0, method=asked)
    looks = preflight.Preflight(system, held, SERVERS["gunicorn"], SECTION)  # type: ignore[arg-type]
    if method:
        found, why = looks.method(record)
        assert found == method and "the interpreter of pid" in why
    else:
        with pytest.raises(CannotReExec, match="the interpreter of pid"):
            looks.method(record)


LOADED = f"{OLD}/venv/lib/python3.11/site-packages/setproctitle/_setproctitle.so"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, f"the interpreter of pid 100, {OLD}/venv/bin/python3, is gone"),
        ({"words": ["python3", f"{OLD}/venv/bin/gunicorn"]}, "the script"),
        ({"words": ["venv/bin/python3", "gunicorn"], "cwd": OLD}, "the working directory"),
        (under_a_title(executed_as=f"{OLD}/venv/bin/python3"), "the interpreter"),
        (under_a_title(executed_as="/usr/bin/gunicorn", mapped=[LOADED]), "the virtual env"),
    ],
    ids=["interpreter", "script", "relative", "title after a re-exec", "title"],
)
def test_an_environment_for_each_release(
    system: FakeSystem, fields: dict[str, object], what: str
) -> None:
    """The first release is gone, and with it the python that a re-exec would run."""
    system.gone.add(OLD)
    assert what in cannot_re_exec(system, gunicorn(system, **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"words": ["python3", "-m", "gunicorn"]},
        {"words": ["/srv/current/venv/bin/python3", "/srv/current/venv/bin/gunicorn"]},
        under_a_title(executed_as="/srv/current/venv/bin/gunicorn"),
        under_a_title(mapped=["/usr/lib/python3/dist-packages/x.so", "/lib/libc.so"]),
    ],
    ids=["by PATH", "by a link", "a link under a title", "the system's"],
)
def test_what_is_still_there_or_does_not_show(
    system: FakeSystem, fields: dict[str, object]
) -> None:
    """The same, where the re-exec works or nothing is known against it."""
    system.gone.add(OLD)
    assert refusal(system, gunicorn(system, **fields)) is None


@pytest.mark.parametrize(
    ("first_line", "gone", "what"),
    [
        ("#!/opt/ruby/bin/ruby", "/opt/ruby", "the interpreter of pid 100, /opt/ruby/bin/ruby"),
        ("#!/usr/bin/env ruby", "/opt/ruby", ""),
        ("#!/opt/ruby/bin/ruby", "/srv/bin", "the script of pid 100, /srv/bin/unicorn"),
    ],
)
def test_the_script_of_unicorn(system: FakeSystem, first_line: str, gone: str, what: str) -> None:
    """It is executed anew, and by its first line the ruby that runs it."""
    master = Unicorn(system).start()
    master.executed_as = "/srv/bin/unicorn"
    system.files[master.executed_as] = f"{first_line}\nload 'unicorn'\n"
    system.gone.add(gone)
    refused = refusal(system, master)
    assert what in str(refused) if what else refused is None


def test_bundle_exec(system: FakeSystem) -> None:
    """The kernel remembers `bundle`, which a re-exec does not run."""
    master = Unicorn(system).start()
    master.executed_as = "/gone/bundle"
    system.gone.add("/gone")
    assert refusal(system, master) is None


class TestADirectoryThatIsAnotherOneByNow:
    """A re-exec would run the old release again, and the restart would count as done."""

    def test_it_is_refused(self, system: FakeSystem) -> None:
        """With the section, both directories and the way out in one line."""
        why = cannot_re_exec(system, gunicorn(system, cwd=OLD))
        assert why.startswith(f"[program:web] directory: /srv/current is {NEW} by now, but pid 100")
        assert f"would re-execute itself in {OLD}, with the old release" in why
        assert "working_directory" in why and "chdir" in why

    @pytest.mark.parametrize(
        "fields",
        [
            {"words": ["python3", "gunicorn", "--chdir", "/srv/current", "app"], "cwd": OLD},
            {"environ": {"PWD": "/srv/current"}, "cwd": OLD},
            {"cwd": "/srv/elsewhere"},
            {"cwd": NEW},
        ],
        ids=["the server names it", "by the link's name", "a script went elsewhere", "the new one"],
    )
    def test_it_is_not(self, system: FakeSystem, fields: dict[str, object]) -> None:
        """The new release would be loaded, or what is loaded does not hang on the directory."""
        assert refusal(system, gunicorn(system, **fields)) is None

    @pytest.mark.parametrize("launch", [Launch(), Launch(directory="/srv/current")])
    def test_nothing_is_known(self, system: FakeSystem, launch: Launch) -> None:
        """A section without a directory, or a program that this host did not start."""
        assert refusal(system, gunicorn(system, cwd=OLD), launch) is None


IN_FRONT: dict[str, Callable[[FakeSystem], Fake]] = {
    "bash": lambda s: s.add(ppid=1, forked=False, words=["bash", "-c", "x; /v/gunicorn app; y"]),
    "timeout": lambda s: s.add(ppid=1, forked=False, words=["timeout", "1d", "gunicorn", "app"]),
    "tini": lambda s: s.add(ppid=1, forked=False, words=["tini", "--", "gunicorn", "app"]),
    "dumb-init": lambda s: s.add(
        ppid=1, forked=False, words=["dumb-init", "gunicorn", "app"], catches={SIGTTOU}
    ),
}


def test_something_stands_in_front_of_a_server_with_words_of_its_own(system: FakeSystem) -> None:
    """Such as an application that uses gunicorn as a library: it listens."""
    system.listening_inodes = frozenset({5})
    front = system.add(ppid=1, forked=False, words=["sh", "-c", "python serve.py; true"])
    server = gunicorn(system, ppid=front.pid, words=["python", "serve.py"], inodes={5})
    assert f"the server is pid {server.pid}, and pid {front.pid} (sh " in str(
        refusal(system, front)
    )


@pytest.mark.parametrize("kind", IN_FRONT)
@pytest.mark.parametrize("deep", [False, True], ids=["child", "grandchild"])
@pytest.mark.parametrize("titled", [False, True], ids=["by its words", "by its title"])
def test_something_stands_in_front(system: FakeSystem, kind: str, deep: bool, titled: bool) -> None:
    """Whatever its words look like, the server below it is named, and what to do.

    A title is over the environment, which would show that it is no new master of what is in front.
    """
    front = parent = IN_FRONT[kind](system)
    if deep:
        parent = system.add(ppid=front.pid, forked=True, words=front.words)
    shown = {"words": ["gunicorn: master [app]"], "environ": {}} if titled else {}
    server = gunicorn(system, ppid=parent.pid, **shown)
    why = str(refusal(system, front))
    assert f"the server is pid {server.pid}, and pid {front.pid} ({front.words[0]} " in why
    assert "`exec`" in why


def test_what_only_has_the_server_s_name(system: FakeSystem) -> None:
    """`pip show gunicorn`, run by a master that starts, is nobody who serves."""
    master = system.add(ppid=1, forked=False, words=["python3", "/v/gunicorn", "app"])
    system.add(ppid=master.pid, forked=False, words=["pip", "show", "gunicorn"])
    held = system.hold(master.pid)
    assert held
    assert preflight.identify(system, held, Options()) is SERVERS["gunicorn"]  # type: ignore[arg-type]


@pytest.mark.parametrize("option", [True, False], ids=["by the option", "by the command line"])
@pytest.mark.parametrize("suffix", ["", ".2"])
def test_a_pid_file_that_names_a_stranger(system: FakeSystem, option: bool, suffix: str) -> None:
    """gunicorn's new master would end, at once or when it takes the old one's place."""
    unknown = ("-c", "python:conf")
    words = ["python3", "/v/gunicorn", *(unknown if option else ("-p", "/run/web.pid")), "app"]
    master = gunicorn(system, words=words)
    stranger = system.add(ppid=1, forked=False, words=["sleep", "60"])
    pidfile = "/run/web.pid" if option else ""
    system.files[f"/run/web.pid{suffix}"] = f"{stranger.pid}\n"
    refused = refusal(system, master, SECTION, pidfile)
    assert f"the pid file /run/web.pid{suffix} names pid {stranger.pid}, which " in str(refused)
    assert not isinstance(refused, CannotReExec)
    system.end(stranger)
    assert refusal(system, master, SECTION, pidfile) is None


def test_a_pid_file_that_is_not_the_server_s(system: FakeSystem) -> None:
    """What is found counts for more than the option, and a gunicorn may have none."""
    stranger = system.add(ppid=1, forked=False, words=["sleep", "60"])
    system.files["/run/web.pid"] = f"{stranger.pid}"
    assert refusal(system, gunicorn(system), SECTION, "/run/web.pid") is None


def test_a_pid_file_of_unicorn(system: FakeSystem) -> None:
    """It refuses a re-exec beside what .oldbin names, if it may signal that."""
    master = Unicorn(system).start()
    master.words = ["unicorn master -c /etc/u.rb"]
    system.files["/etc/u.rb"] = 'pid "/run/web.pid"'
    system.files["/run/web.pid"] = f"{master.pid}"
    assert refusal(system, master) is None
    stranger = system.add(ppid=1, forked=False, words=["sleep", "60"], owner=7)
    system.files["/run/web.pid.oldbin"] = f"{stranger.pid}"
    assert "/run/web.pid.oldbin names pid" in str(refusal(system, master))
    system.files["/run/web.pid"] = system.files.pop("/run/web.pid.oldbin")
    assert refusal(system, master) is None  # unicorn moves it out of the way
    system.files["/run/web.pid.oldbin"] = f"{stranger.pid}"
    master.owner = 5
    assert refusal(system, master) is None


def test_sockets_of_the_workers_alone(system: FakeSystem) -> None:
    """gunicorn's reuse_port from 24 on: a new master would have nothing to listen on."""
    master = gunicorn(system)
    (worker,) = (p for p in system.processes.values() if p.ppid == master.pid)
    system.listening_inodes = frozenset({7})
    worker.inodes = {7}
    master.inodes = master.close_on_exec = {8}  # its control socket, from 25 on
    system.listening_inodes = frozenset({7, 8})
    assert "are those of the workers, not of pid" in str(refusal(system, master))
    master.inodes = {7, 8}
    assert refusal(system, master) is None
