"""Which children of a master are its workers, and which of them are ready: proof by proof."""

from __future__ import annotations

from signal import SIGABRT, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH, Signals

import pytest

from unicorn_handover.kernel.pipes import PipeEnds
from unicorn_handover.servers import SERVERS

from ..fake_process import Fake
from ..fake_system import FakeSystem
from ..fake_unicorn import TICKS_PAGE

UNICORN, GUNICORN = SERVERS["unicorn"], SERVERS["gunicorn"]
EVERY_SIGNAL = {number for number in Signals if number.name not in ("SIGKILL", "SIGSTOP")}
WORKER, MASTER, START = ["unicorn worker[0] -c u"], ["unicorn master -c u"], ["ruby", "unicorn"]
OURS, OTHERS, NONE = frozenset({"pipe:[1]"}), frozenset({"pipe:[2]"}), frozenset()
WALL, MONOTONIC = 1_700_000_000.0, 999.0


@pytest.fixture
def system() -> FakeSystem:
    """A kernel with no process."""
    return FakeSystem()


@pytest.fixture
def master(system: FakeSystem) -> Fake:
    """A unicorn master that writes to its first worker's pipe, and to its own."""
    own = frozenset({"pipe:[9]"})
    return system.add(
        ppid=1,
        forked=False,
        words=MASTER,
        pages={TICKS_PAGE: True},
        pipes=PipeEnds(own, OURS | own),
    )


def fork(system: FakeSystem, master: Fake, **fields: object) -> Fake:
    """A child that the master has forked."""
    fields = {"words": WORKER, "forked": True, **fields}
    return system.add(ppid=master.pid, **fields)


class TestUnicornWorkers:
    """A worker has its title, or the far end of a pipe that the master signals it by."""

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"words": ["shop"], "pipes": PipeEnds(OURS, NONE)},
            {"words": MASTER, "pipes": PipeEnds(OURS, OURS)},
            {"words": START, "pipes": PipeEnds(OURS, OURS)},
            {"words": START, "pipes": None},
            {"words": START, "forked": False, "environ": {"UNICORN_WORKER": "0"}, "pipes": None},
        ],
        ids=["titled", "own title", "respawned now", "forked now", "not ours to see", "exec'd"],
    )
    def test_it_is(self, system: FakeSystem, master: Fake, fields: dict[str, object]) -> None:
        """From its fork on, whatever the app calls it, and whoever may look."""
        worker = fork(system, master, **fields)
        assert UNICORN.workers(system, master.pid) == {worker.pid: False}

    @pytest.mark.parametrize(
        "fields",
        [
            {"words": START},
            {"words": ["shop: helper"], "pipes": PipeEnds(OTHERS, NONE)},
            {"words": MASTER, "pipes": PipeEnds(OURS, NONE)},
            {"words": MASTER, "pipes": PipeEnds(NONE, OURS)},
            {"words": ["sleep", "5"], "forked": False, "pipes": PipeEnds(OURS, NONE)},
            {"words": ["unicorn master -c new"], "forked": False},
        ],
        ids=["preloaded app's", "titled", "waits for its master", "forked later", "exec'd", "new"],
    )
    def test_it_is_not(self, system: FakeSystem, master: Fake, fields: dict[str, object]) -> None:
        """What an app or a hook has started beside the workers, and a new master."""
        fork(system, master, **{"catches": {SIGUSR1, SIGUSR2}, **fields})
        assert UNICORN.workers(system, master.pid) == {}

    @pytest.mark.parametrize("words", [WORKER, MASTER, ["shop"]])
    def test_a_child_of_before_fork(
        self, system: FakeSystem, master: Fake, words: list[str]
    ) -> None:
        """It was forked with both ends of the next worker's pipe, and before that worker."""
        fork(system, master, words=MASTER, pipes=PipeEnds(OURS, OURS))
        writes = OURS if words is MASTER else frozenset()
        worker = fork(system, master, words=words, pipes=PipeEnds(OURS, writes))
        assert list(UNICORN.workers(system, master.pid)) == [worker.pid]


class TestUnicornReadiness:
    """A forked worker is ready when it has written its tick, whatever signals its app traps."""

    @pytest.mark.parametrize("catches", [set(), {SIGUSR1}, {SIGUSR1, SIGWINCH}, EVERY_SIGNAL])
    @pytest.mark.parametrize("ticks", [False, True])
    def test_tick(
        self, system: FakeSystem, master: Fake, catches: set[Signals], ticks: bool
    ) -> None:
        """The first thing that it does in its loop, and does nowhere else."""
        worker = fork(system, master, catches=catches, pages={TICKS_PAGE: ticks})
        assert UNICORN.workers(system, master.pid) == {worker.pid: ticks}
        assert UNICORN.is_booting(system, worker.pid) is not ticks

    @pytest.mark.parametrize(
        ("catches", "ready"),
        [({SIGUSR1, SIGWINCH}, False), (set(), False), ({SIGUSR1}, True)],
        ids=["just forked", "loads its app", "accepts"],
    )
    @pytest.mark.parametrize("pages", [{}, {TICKS_PAGE: None}])
    def test_masks(
        self,
        system: FakeSystem,
        master: Fake,
        catches: set[Signals],
        ready: bool,
        pages: dict[int, bool | None],
    ) -> None:
        """Where the kernel does not show the tick: USR1 is trapped, and not WINCH."""
        worker = fork(system, master, catches=catches, pages=pages)
        assert UNICORN.workers(system, master.pid) == {worker.pid: ready}

    def test_a_master_whose_tick_does_not_show(self, system: FakeSystem, master: Fake) -> None:
        """Its page may be out of memory: an untouched one of a worker proves nothing then."""
        master.pages = {TICKS_PAGE: False}
        worker = fork(system, master, catches={SIGUSR1}, pages={TICKS_PAGE: False})
        assert UNICORN.workers(system, master.pid) == {worker.pid: True}

    def test_pages_of_an_app(self, system: FakeSystem, master: Fake) -> None:
        """A page that an app shares with nobody but itself is not the master's ticks."""
        worker = fork(system, master, catches={SIGUSR1}, pages={TICKS_PAGE: False, 0x9000: True})
        assert UNICORN.workers(system, master.pid) == {worker.pid: False}

    @pytest.mark.parametrize(
        ("words", "catches", "memory", "ready"),
        [
            (START, {SIGUSR1}, {}, False),
            (START, {SIGUSR1, SIGWINCH}, {}, False),
            (WORKER, set(), {}, False),
            (WORKER, {SIGUSR1}, {}, True),
            (WORKER, EVERY_SIGNAL, (0, 0), False),
            (WORKER, {SIGUSR1}, (7, 0), False),
            (WORKER, EVERY_SIGNAL, (0, 1000), True),
            (WORKER, EVERY_SIGNAL, (0, 2000), False),
        ],
        ids=["ruby", "unicorn", "loads", "accepts", "no tick", "a count", "tick", "no time yet"],
    )
    def test_execd(
        self,
        system: FakeSystem,
        master: Fake,
        words: list[str],
        catches: set[Signals],
        memory: tuple[int, ...],
        ready: bool,
    ) -> None:
        """With worker_exec the tick is read, for the worker itself has zeroed it; or else masks."""
        worker = fork(
            system,
            master,
            forked=False,
            words=words,
            environ={"UNICORN_WORKER": "0"},
            catches=catches,
            pages={TICKS_PAGE: True},
            memory={TICKS_PAGE: memory} if memory else {},
        )
        assert UNICORN.workers(system, master.pid) == {worker.pid: ready}


class TestGunicornWorkers:
    """A worker is a heartbeat file that its master has, and ready when that file has a beat."""

    @pytest.fixture
    def master(self, system: FakeSystem) -> Fake:
        """A gunicorn master with the files of two workers."""
        beats = {1: (WALL, 0o100600), 2: (MONOTONIC, 0o100600)}
        return system.add(ppid=1, forked=False, words=["gunicorn: master [app]"], heartbeats=beats)

    def test_each_by_its_own_file(self, system: FakeSystem, master: Fake) -> None:
        """One that was forked just now has its siblings' files as well."""
        ready = fork(system, master, heartbeats={2: master.heartbeats[2]})
        fresh = fork(system, master, heartbeats=dict(master.heartbeats))
        assert GUNICORN.workers(system, master.pid) == {ready.pid: True, fresh.pid: False}

    def test_a_master_that_may_not_be_looked_into_yet(
        self, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Forked by a host that has changed its user, it has no worker before its exec."""

        def denied(pid: int, name_part: str) -> list[object]:
            raise PermissionError(pid)

        monkeypatch.setattr(system, "open_files", denied)
        starting = system.add(ppid=1, forked=True, words=["supervisord"])
        assert GUNICORN.workers(system, starting.pid) == {}

    @pytest.mark.parametrize(
        ("beat", "ready"),
        [
            ((WALL, 0o100600), False),
            ((WALL, 0o100640), False),
            ((MONOTONIC, 0o100600), True),
            ((WALL, 0o100000), True),
            ((WALL, 0o100001), True),
        ],
        ids=["none", "none, another umask", "22 and later", "before 22", "before 22, the first"],
    )
    def test_beat(
        self, system: FakeSystem, master: Fake, beat: tuple[float, int], ready: bool
    ) -> None:
        """By the file's time or, before gunicorn 22, by its mode; signals are not looked at."""
        master.heartbeats = {1: beat}
        worker = fork(system, master, heartbeats={1: beat}, catches=EVERY_SIGNAL)
        assert GUNICORN.workers(system, master.pid) == {worker.pid: ready}
        assert GUNICORN.is_booting(system, worker.pid) is not ready

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"heartbeats": {7: (MONOTONIC, 0o100600)}},
            {"heartbeats": {1: (WALL, 0o100600)}, "forked": False},
        ],
        ids=["no file", "files of others", "exec'd"],
    )
    def test_it_is_not(self, system: FakeSystem, master: Fake, fields: dict[str, object]) -> None:
        """A helper, the arbiter of dirty workers with theirs, and what was exec'd."""
        fork(system, master, **fields)
        assert GUNICORN.workers(system, master.pid) == {}

    @pytest.mark.parametrize("helper_is_elder", [True, False])
    def test_a_helper_with_a_worker_s_file(
        self, system: FakeSystem, master: Fake, helper_is_elder: bool
    ) -> None:
        """A hook's child has what the master had when it was forked, but no handler of ABRT."""
        file = {1: master.heartbeats[1]}
        order = [{"catches": {SIGUSR2, SIGTTOU}}, {"catches": {SIGABRT, SIGTTOU}}]
        children = [
            fork(system, master, heartbeats=file, **fields)
            for fields in (order if helper_is_elder else order[::-1])
        ]
        assert list(GUNICORN.workers(system, master.pid)) == [children[helper_is_elder].pid]

    def test_a_child_of_pre_fork_beside_a_worker_in_post_fork(
        self, system: FakeSystem, master: Fake
    ) -> None:
        """The hook's child was forked before the worker; neither has handlers of its own."""
        file = {1: master.heartbeats[1]}
        _, worker = fork(system, master, heartbeats=file), fork(system, master, heartbeats=file)
        assert list(GUNICORN.workers(system, master.pid)) == [worker.pid]
