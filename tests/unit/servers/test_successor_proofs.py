"""Who is a new master: proof by proof."""

from __future__ import annotations

from signal import SIGTTOU

import pytest

from unicorn_handover.servers import Server

from ..fake_system import FakeSystem
from ..masters import GUNICORN, UNICORN, add


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


@pytest.mark.parametrize("server", [UNICORN, GUNICORN], ids=["unicorn", "gunicorn"])
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
