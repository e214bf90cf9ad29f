"""Who is a master, and who is a new one: proof by proof."""

from __future__ import annotations

from signal import SIGTTOU, SIGWINCH, Signals

import pytest

from unicorn_handover.family import members
from unicorn_handover.model.record import MasterId
from unicorn_handover.servers import SERVERS, Server, is_forked, recognise

from .fake_system import Fake, FakeSystem

UNICORN, GUNICORN = SERVERS["unicorn"], SERVERS["gunicorn"]


@pytest.fixture
def system() -> FakeSystem:
    """A kernel with no process."""
    return FakeSystem()


def add(system: FakeSystem, words: str = "x y", forked: bool = False, **fields: object) -> Fake:
    """One process, whose parent is pid 50."""
    fields.setdefault("environ", {"PATH": "/bin"})
    return system.add(ppid=50, forked=forked, words=words.split("|"), **fields)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("ruby|/usr/bin/unicorn|-c|u.rb", "unicorn"),
        ("/usr/bin/ruby3.1|bin/unicorn_rails|-E|x", "unicorn"),
        ("unicorn master -D -c /srv/u.rb", "unicorn"),
        ("unicorn_rails master (old) -c u.rb", "unicorn"),
        ("python3|/venv/bin/gunicorn|app:a", "gunicorn"),
        ("python3|-m|gunicorn|app:a", "gunicorn"),
        ("python3|/venv/lib/python3.11/site-packages/gunicorn/__main__.py|app:a", "gunicorn"),
        ("gunicorn: master [app:a]", "gunicorn"),
        ("nginx: master process nginx", None),
        ("/bin/sh|-c|cd x; unicorn -c u.rb", None),
        ("ruby|/usr/bin/puma", None),
        ("vi|/etc/unicorn.rb", None),
        ("python3|/srv/gunicorn/manage.py", None),
        ("", None),
    ],
)
def test_recognise(words: str, name: str | None) -> None:
    """A server is known by its command line, before and after it writes its title."""
    server = recognise(words.split("|"))
    assert (server.name if server else None) == name


def test_signals() -> None:
    """What is graceful for one server cuts requests on the other."""
    assert (UNICORN.graceful, UNICORN.quick) == (Signals.SIGQUIT, Signals.SIGTERM)
    assert (GUNICORN.graceful, GUNICORN.quick) == (Signals.SIGTERM, Signals.SIGQUIT)
    assert UNICORN.quiesce is SIGWINCH and GUNICORN.quiesce is None


class TestUnicornSuccessor:
    """A new master of unicorn was exec'd, and holds the listeners that UNICORN_FD names."""

    def test_it_is(self, system: FakeSystem) -> None:
        """Both sockets are open, and it runs unicorn or, under another name, has its handlers."""
        proof = {"environ": {"UNICORN_FD": "7,8"}, "sockets": {7, 8}}
        new = add(system, "ruby|/usr/bin/unicorn", **proof)
        assert UNICORN.is_successor(system, new.pid, 50)
        own = add(system, "ruby|bin/web", **proof, catches={SIGTTOU})
        assert UNICORN.is_successor(system, own.pid, 50)

    @pytest.mark.parametrize(
        "fields",
        [
            {"environ": {"UNICORN_FD": "7,8"}, "sockets": {7}},
            {"environ": {"UNICORN_FD": ""}, "sockets": {7}},
            {"environ": {"A": "b"}, "sockets": {7}},
            {"environ": {"UNICORN_FD": "7"}, "sockets": {7}, "forked": True},
            {"environ": {"UNICORN_FD": "7", "UNICORN_WORKER": "0,9"}, "sockets": {7}},
            {"environ": {"UNICORN_FD": "7"}, "sockets": {7}, "words": "sleep|45"},
        ],
        ids=[
            "helper of a worker",
            "empty",
            "other",
            "worker",
            "exec'd worker",
            "helper of a master",
        ],
    )
    def test_it_is_not(self, system: FakeSystem, fields: dict[str, object]) -> None:
        """What only looks like one."""
        fields = {"words": "ruby|/usr/bin/unicorn", **fields}
        assert not UNICORN.is_successor(system, add(system, **fields).pid, 50)

    @pytest.mark.parametrize(
        ("words", "proven"),
        [
            ("unicorn master -c u", True),
            ("unicorn worker[0] -c u", False),
            ("ruby|unicorn|-c|u", False),
            ("sleep|5", False),
        ],
    )
    def test_its_title_counts_if_it_is_over_the_environment(
        self, system: FakeSystem, words: str, proven: bool
    ) -> None:
        """With nothing left of the environment its own title tells what it is."""
        new = add(system, words, environ={})
        assert UNICORN.is_successor(system, new.pid, 50) is proven

    def test_gone(self, system: FakeSystem) -> None:
        """No process is no master."""
        assert not UNICORN.is_successor(system, 4711, 50)


class TestGunicornSuccessor:
    """A new master of gunicorn was exec'd by the master that GUNICORN_PID names."""

    @pytest.mark.parametrize(
        ("environ", "proven"),
        [
            ({"GUNICORN_PID": "50", "GUNICORN_FD": "5"}, True),
            ({"GUNICORN_PID": "51", "GUNICORN_FD": "5"}, False),
            ({"GUNICORN_PID": "50"}, False),
            ({"GUNICORN_FD": "5"}, False),
            ({"A": "b"}, False),
        ],
    )
    def test_environment(self, system: FakeSystem, environ: dict[str, str], proven: bool) -> None:
        """The number must be that of this very master."""
        new = add(system, "python3|gunicorn|app", environ=environ)
        assert GUNICORN.is_successor(system, new.pid, 50) is proven

    def test_a_helper_of_its_own(self, system: FakeSystem) -> None:
        """What an application starts while it is preloaded has the variables as well."""
        helper = add(system, "sleep|45", environ={"GUNICORN_PID": "50", "GUNICORN_FD": "5"})
        assert not GUNICORN.is_successor(system, helper.pid, 50)

    def test_socket_activation(self, system: FakeSystem) -> None:
        """Under systemd's protocol LISTEN_PID is the new master itself."""
        new = add(system, "python3|gunicorn|app")
        new.environ = {"GUNICORN_PID": "50", "LISTEN_PID": str(new.pid)}
        assert GUNICORN.is_successor(system, new.pid, 50)
        new.environ["LISTEN_PID"] = "50"
        assert not GUNICORN.is_successor(system, new.pid, 50)

    def test_its_title_counts_if_it_is_over_the_environment(self, system: FakeSystem) -> None:
        """As setproctitle leaves it."""
        for words, proven in (("gunicorn: master [app]", True), ("gunicorn: worker [app]", False)):
            new = add(system, words, environ={})
            assert GUNICORN.is_successor(system, new.pid, 50) is proven


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
@pytest.mark.parametrize(
    ("fields", "proven"),
    [
        ({"catches": {SIGTTOU}, "inodes": {7, 9}}, True),
        ({"catches": {SIGTTOU}, "inodes": {8}}, False),
        ({"catches": {SIGTTOU}, "inodes": {9}}, False),
        ({"inodes": {7}}, False),
        ({"catches": {SIGTTOU}, "inodes": {7}, "forked": True}, False),
        ({"catches": {SIGTTOU}, "inodes": {7}, "environ": {"A": "b"}}, False),
    ],
    ids=["it is", "own listener", "shared connection", "no handlers", "worker", "environment"],
)
def test_a_master_with_a_title_of_its_own(
    system: FakeSystem, server: Server, fields: dict[str, object], proven: bool
) -> None:
    """With nothing left of the environment it listens where the old master does, and obeys."""
    system.listening_inodes = frozenset({7, 8})
    old = system.add(ppid=1, forked=False, words=["shop"], inodes={7, 9})
    new = add(system, "shop", **{"environ": {}, **fields})
    assert server.is_successor(system, new.pid, old.pid) is proven


def test_a_master_with_a_title_of_its_own_after_the_old_one_s_death(system: FakeSystem) -> None:
    """It is of the program's group, and listens somewhere; a helper of the program does not."""
    system.listening_inodes = frozenset({7})
    proof = {"environ": {}, "catches": {SIGTTOU}, "pgrp": 50}
    helper = add(system, "shop: helper", **proof)
    new = add(system, "shop", **proof, inodes={7})
    found = members.successor_among(system, [helper.pid, new.pid], 4711, 50, None)
    assert found and found.pid == new.pid
    found.close()


def test_is_forked(system: FakeSystem) -> None:
    """A forked process, or an exec'd one that unicorn made a worker."""
    assert is_forked(system, add(system, forked=True).pid)
    assert is_forked(system, add(system, environ={"UNICORN_WORKER": "0"}).pid)
    assert not is_forked(system, add(system).pid) and not is_forked(system, 4711)


def test_all_forked(system: FakeSystem) -> None:
    """unicorn writes its title when it has forked all workers; gunicorn shows nothing."""
    starting = add(system, "/usr/bin/ruby|/usr/bin/unicorn|-c|u")
    serving = add(system, "unicorn master -c u")
    assert UNICORN.all_forked(system, starting.pid) is False
    assert UNICORN.all_forked(system, serving.pid) is True
    own = add(system, "shop", catches={SIGTTOU})
    assert UNICORN.all_forked(system, own.pid) is None
    assert UNICORN.accepts_signals(system, own.pid)
    assert not UNICORN.accepts_signals(system, starting.pid)
    assert GUNICORN.all_forked(system, serving.pid) is None


def test_a_successor_after_the_old_master_s_death_is_of_its_group(system: FakeSystem) -> None:
    """Parentage is lost then; the process group is not, and a stranger's master is not taken."""
    proof = {"environ": {"UNICORN_FD": "7"}, "sockets": {7}}
    stranger = add(system, "unicorn", **proof, pgrp=60)
    own = add(system, "unicorn", **proof, pgrp=50)
    found = members.successor_among(system, [stranger.pid, own.pid, 4711], 50, 50, None)
    assert found and found.pid == own.pid and system.open_handles == 1
    found.close()


def test_a_known_successor_needs_no_proof_after_the_old_master_s_death(system: FakeSystem) -> None:
    """One that was told to quit has closed its listeners; it comes before what looks like one."""
    other = add(system, "unicorn", environ={"UNICORN_FD": "7"}, sockets={7}, pgrp=50)
    known = add(system, "unicorn", pgrp=50)
    pids, new = [other.pid, known.pid], MasterId(known.pid, known.start)
    found = members.successor_among(system, pids, 50, 50, new)
    assert found and found.pid == known.pid
    found.close()
    reused = MasterId(known.pid, known.start - 1)
    assert members.successor_among(system, [known.pid], 50, 50, reused) is None
    assert system.open_handles == 0


def test_a_successor_is_not_older_than_its_master(system: FakeSystem) -> None:
    """A process that began before the master cannot be its new one."""
    early = add(system, "unicorn", environ={"UNICORN_FD": "7"}, sockets={7})
    system.advance_to(system.now + 5)
    master = system.add(ppid=1, forked=False, words=["unicorn master"])
    early.ppid = master.pid
    held = system.hold(master.pid)
    assert held and members.successor(system, held, UNICORN) is None
    held.close()
    assert system.open_handles == 0
