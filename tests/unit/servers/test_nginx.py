"""What proves who is who among the processes of an nginx, on a kernel that is made up whole."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGCHLD, SIGHUP, SIGQUIT, SIGUSR2

import pytest

from unicorn_handover.driver.first_worker import FirstWorker
from unicorn_handover.driver.preflight import Preflight
from unicorn_handover.driver.trial import PATIENCE, Trial
from unicorn_handover.errors import CannotReExec, Refused
from unicorn_handover.family.orphans import Orphans
from unicorn_handover.family.successors import end_master
from unicorn_handover.kernel.pid_file import PidFile
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import SERVERS, Launch

from ..fake_process import Fake, FakeRun
from ..fake_system import FakeSystem

NGINX = SERVERS["nginx"]
TITLE = "nginx: master process /usr/sbin/nginx -c /n.conf -g daemon off;"
WORKER = "nginx: worker process"
CATCHES = {SIGHUP, SIGQUIT, SIGUSR2}
SECTION = Launch(
    "program:web", "directory", ("nginx", "-c", "/n.conf"), "/srv", "/srv", "web", None, {"A": "b"}
)


@pytest.fixture
def system() -> FakeSystem:
    """A kernel with nothing on it."""
    return FakeSystem()


def master(system: FakeSystem, *titles: str, title: str = TITLE, **fields: object) -> Fake:
    """A master whose children have these titles."""
    found = system.add(ppid=1, forked=False, words=[title], **{"catches": CATCHES, **fields})
    for each in titles:
        system.add(ppid=found.pid, forked=True, words=[each])
    return found


def test_workers_are_told_by_their_titles(system: FakeSystem) -> None:
    """One is ready under its own title alone; what minds the cache is no worker."""
    titles = (TITLE, WORKER, f"{WORKER} is shutting down", "nginx: cache manager process")
    found = NGINX.workers(system, master(system, *titles).pid)  # type: ignore[arg-type]
    assert list(found.values()) == [False, True, False]


@pytest.mark.parametrize(
    ("title", "blocks", "forked"),
    [("/usr/sbin/nginx", set(), False), (TITLE, {SIGCHLD}, False), (TITLE, set(), True)],
    ids=["reads its configuration", "forks", "waits"],
)
def test_all_are_forked_when_it_waits(
    system: FakeSystem, title: str, blocks: set[object], forked: bool
) -> None:
    """Nothing is blocked before the title is set either, so both are needed."""
    found = master(system, title=title, blocks=blocks)
    assert NGINX.all_forked(system, found.pid) is forked  # type: ignore[arg-type]
    assert NGINX.accepts_signals(system, found.pid) is (title == TITLE)  # type: ignore[arg-type]


def test_it_is_never_told_to_re_execute_itself(system: FakeSystem) -> None:
    """Where a host can start masters it does so, and elsewhere the restart is refused."""
    found = master(system, WORKER)
    held = system.hold(found.pid)
    looks = Preflight(system, held, NGINX, SECTION)  # type: ignore[arg-type]
    record = Record("web", 1, Phase.CHECKING, MasterId(found.pid, found.start), 0, 0)
    assert looks.method(record.but(method="auto"))[0] == "spawn"
    with pytest.raises(CannotReExec, match="nginx does not re-execute itself under a host; send"):
        looks.method(record.but(method="usr2"))
    assert not looks.can_re_exec()


@pytest.mark.parametrize(
    ("command", "conf", "expected"),
    [
        (["nginx", "-c", "/n.conf"], "pid /run/x.pid; # pid /no;", "/run/x.pid"),
        (["nginx", "-c/n.conf", "-g", "daemon off; pid /run/y.pid;"], "", "/run/y.pid"),
        (["nginx", "-p", "p", "-c", "/n.conf"], 'user a;\npid "logs/x";', "/srv/p/logs/x"),
        (["nginx", "-c", "/n.conf"], "http { server { pid /no; } }", ""),
        (["nginx", "-c", "/n.conf"], "pid logs/x;", ""),
        ([TITLE], "pid /run/x.pid;", "/run/x.pid"),
        ([TITLE + " pid /run/z.pid;"], "", "/run/z.pid"),
    ],
)
def test_pid_file(system: FakeSystem, command: list[str], conf: str, expected: str) -> None:
    """It is read in -g and in the main part of the file, by a title as well."""
    system.files["/n.conf"] = conf
    found = NGINX.pid_files(system, command, "/srv", {})  # type: ignore[arg-type]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("words", "conf", "goes"),
    [
        (["nginx", "-c", "/n.conf"], "user a;", True),
        (["nginx", "-c", "/n.conf"], "#daemon off;\nuser a;", True),
        (["nginx", "-c", "/n.conf"], "daemon off;", False),
        (["nginx", "-c", "/n.conf", "-g", "daemon off;"], "user a;", False),
        (["nginx", "-c", "/n.conf"], "include more.conf;", False),
        (["nginx", "-c", "/not/there.conf"], "", False),
        (["sh", "nginx.sh"], "", False),
    ],
)
def test_going_into_the_background(
    system: FakeSystem, words: list[str], conf: str, goes: bool
) -> None:
    """It is told only where it is plain: what is included may say it, and so may a script."""
    system.files["/n.conf"] = conf
    launch = Launch(command=tuple(words), directory="/srv")
    assert bool(NGINX.next_start.goes_away(system, launch)) is goes  # type: ignore[arg-type]


def trial(system: FakeSystem, run: FakeRun | None) -> Trial:
    """A trial of a running nginx."""
    system.run = run
    held = system.hold(master(system).pid)
    return Trial(system, held, NGINX, SECTION, 60)  # type: ignore[arg-type]


def test_a_trial_that_finds_nothing(system: FakeSystem) -> None:
    """It is run as the next master will be, and nothing waits for its end."""
    run = FakeRun()
    found = trial(system, run)
    assert not found.passed()
    words = ("nginx", "-c", "/n.conf", "-t", "-q")
    assert run.told == ("web", None, words, "/srv", {"A": "b"})
    run.ended = True
    assert found.passed() and found.passed() and run.closed


def test_what_a_trial_finds_is_the_reason(system: FakeSystem) -> None:
    """Also where somebody else has waited for it, and its status is not known."""
    run = FakeRun()
    run.ended, run.output = True, "nginx: [warn] a\nnginx: [emerg] no b in /n.conf:3\n"
    with pytest.raises(Refused, match=r"nginx -c /n.conf -t -q says: no b in /n.conf:3; correct"):
        trial(system, run).passed()


def test_a_trial_that_does_not_end(system: FakeSystem) -> None:
    """It is ended, and the restart refused."""
    run = FakeRun()
    found = trial(system, run)
    system.advance_to(system.now + PATIENCE)
    with pytest.raises(Refused, match="does not end"):
        found.passed()
    assert run.closed


def test_what_cannot_be_tried_is_started(system: FakeSystem) -> None:
    """The new master finds out by itself."""
    assert trial(system, None).passed()


def test_what_a_dead_master_leaves_is_told_to_end(system: FakeSystem) -> None:
    """Its workers would serve on for ever; a unicorn's look at their parent."""
    left = [system.add(ppid=1, forked=True, words=[w]) for w in (WORKER, "unicorn worker[0]")]
    orphans = Orphans(system, lambda text: None)  # type: ignore[arg-type]
    orphans.keep([system.hold(each.pid) for each in left], 60)  # type: ignore[misc]
    assert system.signals == [("QUIT", left[0].pid)]


def test_a_new_master_whose_workers_are_ready_at_once_goes_on(system: FakeSystem) -> None:
    """It was told to stop at its first worker, and does not show yet that it has."""
    new = master(system, WORKER)
    held = system.hold(new.pid)
    first = FirstWorker(system, held, NGINX)  # type: ignore[arg-type]
    system.stops_at_once = False
    first.step()
    assert first.over and system.signals == [("STOP", new.pid), ("CONT", new.pid)]


@pytest.mark.parametrize(("title", "sent"), [(WORKER, "QUIT"), (TITLE, "KILL")])
def test_a_new_master_is_ended(system: FakeSystem, title: str, sent: str) -> None:
    """By its graceful signal from the moment in which a worker may serve."""
    found = master(system, title)
    held = system.hold(found.pid)
    end_master(system, held, SIGQUIT)  # type: ignore[arg-type]
    assert (sent, found.pid) in system.signals


@pytest.mark.parametrize(
    ("title", "inodes", "proven"), [(TITLE, {7}, True), (TITLE, {8}, False), ("nginx", {7}, False)]
)
def test_one_that_was_re_executed_by_hand(
    system: FakeSystem, title: str, inodes: set[int], proven: bool
) -> None:
    """It has the title, and listens where the old one does; of its NGINX nothing is left."""
    system.listening_inodes = frozenset({7, 8})
    old = master(system, inodes={7})
    new = system.add(ppid=old.pid, forked=False, words=[title], inodes=inodes, catches=CATCHES)
    assert NGINX.is_successor(system, new.pid, old.pid) is proven  # type: ignore[arg-type]


def test_its_pid_file_is_written_again(tmp_path: Path) -> None:
    """Only if the old master has unlinked it."""
    file = PidFile(str(tmp_path / "pid"))
    file.write_if_gone(os.getpid())
    assert file.names(os.getpid())
    (tmp_path / "pid").write_text("1\n")
    file.write_if_gone(os.getpid())
    assert file.names(1)
