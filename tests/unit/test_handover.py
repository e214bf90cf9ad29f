"""Histories of events, driven through a `Handover` on a kernel that is made up whole."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGHUP, SIGKILL, SIGQUIT, SIGSEGV, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, Signals

import pytest

from unicorn_handover.driver.handover import Handover
from unicorn_handover.model.options import Options
from unicorn_handover.model.phases import Event, Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import SERVERS

from .fake_system import MASTER_CATCHES, Fake, FakeSystem, Unicorn


class History:
    """One handover of one program, and all that it reported."""

    def __init__(self, **options: object) -> None:
        self.system = FakeSystem()
        self.unicorn = Unicorn(self.system)
        self.old = self.unicorn.start()
        self.options = Options(**options)  # type: ignore[arg-type]
        self.reports: list[Record] = []
        self.handover: Handover | None = None
        self.at_phase: dict[Phase, Callable[[], None]] = {}

    @property
    def new(self) -> Fake:
        """The new master."""
        return self.unicorn.masters[1]

    @property
    def phases(self) -> list[str]:
        """The phases it went through."""
        return list(dict.fromkeys(record.phase.value for record in self.reports))

    @property
    def signals(self) -> list[str]:
        """The signals that the masters got, as "QUIT old"."""
        names = {self.old.pid: "old", **{m.pid: "new" for m in self.unicorn.masters[1:]}}
        return [f"{number} {names[pid]}" for number, pid in self.system.signals if pid in names]

    def begin(self, record: Record | None = None) -> None:
        """Let a driver begin, or go on with what another one left."""
        first = MasterId(self.old.pid, self.old.start)
        now = self.system.now
        record = record or Record("web", 1, Phase.REQUESTED, first, now, now)
        self.handover = Handover(self.system, self.options, record, self._report)  # type: ignore[arg-type]

    def lose_driver(self) -> Record:
        """Kill the driver; return what the host knows."""
        assert self.handover
        self.handover.close()
        assert self.system.open_handles == 0
        return self.reports[-1]

    def _report(self, record: Record) -> None:
        self.reports.append(Record.from_json(record.to_json()))
        act = self.at_phase.pop(record.phase, None)
        if act:
            act()

    def run(self, until: Phase | None = None, seconds: float = 500) -> Record:
        """Let time pass until the handover ends, or is in a phase."""
        if self.handover is None:
            self.begin()
        handover = self.handover
        assert handover
        limit = self.system.now + seconds
        while not handover.finished and handover.record.phase is not until:
            handover.step()
            if handover.finished or handover.record.phase is until:
                break
            moment = min(handover.wake_at(), self.system.next_at())
            assert moment <= limit, f"stays {handover.record.phase} for ever"
            self.system.advance_to(max(moment, self.system.now + 0.001))
        return handover.record


def test_a_good_release_takes_over() -> None:
    """USR2, readiness, QUIT: each phase once, and no other signal to anybody."""
    history = History()
    record = history.run()
    assert record.phase is Phase.DONE and record.succeeded and record.reason == ""
    assert history.phases == ["checking", "re-executing", "booting", "draining", "done"]
    assert history.signals == ["USR2 old", "QUIT old"]
    assert history.system.signals == [("USR2", history.old.pid), ("QUIT", history.old.pid)]
    assert record.new == (history.new.pid, history.new.start) and record.server == "unicorn"
    assert (record.strength, record.ready, record.total) == (2, 2, 2)
    assert record.began <= record.signalled <= record.ended == record.since


def test_a_record_is_given_away_before_it_is_acted_upon() -> None:
    """When USR2 and QUIT are sent, the host knows of the phase that sends them."""
    history = History()
    seen: list[tuple[str, str]] = []
    obey = history.old.obey
    history.old.obey = lambda number: (
        seen.append((number.name, history.reports[-1].phase.value)),
        obey(number),
    )[1]
    history.run()
    assert seen == [("SIGUSR2", "re-executing"), ("SIGQUIT", "draining")]


def test_the_new_master_dies_at_load() -> None:
    """It is told as the reason, and the old master hears nothing more."""
    history = History()
    history.unicorn.dies = 0.4
    record = history.run()
    assert record.phase is Phase.FAILED
    assert (
        record.reason
        == f"the new master (pid {record.new.pid}) ended before its workers were ready"
    )
    assert history.signals == ["USR2 old"] and history.old.alive


def test_what_a_dead_new_master_forked_at_last_is_ended() -> None:
    """Its workers would load the app to the end, or for ever; the driver never saw them."""
    history = History()
    history.unicorn.boots = None
    fork = history.unicorn.fork_workers

    def fork_and_die(master: Fake) -> None:
        fork(master)
        history.system.end(master)

    history.unicorn.fork_workers = fork_and_die  # type: ignore[method-assign]
    stranger = history.system.add(ppid=1, forked=True, words=["x"], pgrp=9)
    job = history.system.add(  # before it all
        ppid=1, forked=True, words=["unicorn worker[0]"], pgrp=history.old.pgrp
    )
    history.system.advance_to(history.system.now + 1)
    assert history.run().phase is Phase.FAILED
    assert len(history.system.processes) == 5  # and the old master with its workers
    assert history.old.alive and stranger.alive and job.alive


def test_a_release_that_hangs_is_removed() -> None:
    """After boot_timeout the new master is told to quit, with the old one untouched."""
    history = History(boot_timeout=7.0)
    history.unicorn.boots = None
    record = history.run()
    assert record.phase is Phase.FAILED and history.signals == ["USR2 old", "QUIT new"]
    assert "not ready in time (boot_timeout = 7 s; 0 of 2 ready)" in record.reason
    assert 7 <= record.ended - record.signalled < 9 and history.old.alive


def test_a_release_that_does_not_even_quit_is_killed() -> None:
    """A master that ignores QUIT is stopped and killed, and so are its workers."""
    history = History(boot_timeout=2.0)
    history.unicorn.boots = history.unicorn.drains = None
    record = history.run()
    workers = {pid for _, pid in history.system.signals} - {history.old.pid, history.new.pid}
    assert record.phase is Phase.FAILED and len(workers) == 2
    assert history.signals == ["USR2 old", "QUIT new", "STOP new", "KILL new"]
    assert len(history.system.processes) == 3  # the old master and its workers


def test_workers_that_die_again_and_again_are_told_within_seconds() -> None:
    """A crash loop does not wait for boot_timeout."""
    history = History(boot_timeout=100.0)
    history.unicorn.crashes = True
    record = history.run()
    assert record.phase is Phase.FAILED and "keep dying" in record.reason
    assert record.ended - record.signalled < 5
    assert history.signals == ["USR2 old", "QUIT new"] and history.old.alive


def test_a_re_exec_that_fails_is_told_at_once() -> None:
    """A child that is forked and ends before its exec ends the handover."""
    history = History()
    history.unicorn.exec_fails = True
    record = history.run()
    assert record.phase is Phase.FAILED and "could not re-execute itself" in record.reason
    assert record.ended - record.signalled < 1 and history.signals == ["USR2 old"]


def obeys_late(history: History, seconds: float) -> None:
    """Let the old master take its time to obey."""
    obey = history.old.obey
    history.old.obey = lambda number: history.system.later(seconds, lambda: obey(number))


def test_a_re_exec_that_fails_between_two_looks_is_told_at_once() -> None:
    """A child that nobody saw is told of by what it leaves in its parent."""
    history = History()
    history.unicorn.exec_fails, history.unicorn.exec_takes = True, 0.0
    obeys_late(history, 0.001)
    record = history.run()
    assert record.phase is Phase.FAILED and "could not re-execute itself" in record.reason
    assert record.ended - record.signalled < 1 and history.signals == ["USR2 old"]


def test_a_re_exec_that_failed_and_was_seen_as_a_zombie_first() -> None:
    """A child that shows nothing any more when it is listed is no known one, whose end hides it."""
    history = History()

    def forks_and_fails(number: Signals) -> None:
        child = history.system.add(ppid=history.old.pid, forked=True, words=[""])
        history.system.zombies.add(child.pid)
        history.system.later(0.015, lambda: history.system.end(child))

    history.old.obey = lambda number: history.system.later(0.001, lambda: forks_and_fails(number))
    record = history.run()
    assert record.phase is Phase.FAILED and "could not re-execute itself" in record.reason
    assert record.ended - record.signalled < 1 and history.signals == ["USR2 old"]


def test_a_re_exec_that_failed_in_the_clock_tick_of_usr2() -> None:
    """Its start time, in ticks of 10 ms, is that of USR2: it was not there before."""
    history = History()

    def forks_and_fails(number: Signals) -> None:
        child = history.system.add(
            ppid=history.old.pid, forked=True, words=["ruby"], catches=MASTER_CATCHES | {SIGQUIT}
        )
        assert child.start == history.system.ticks(history.reports[-1].signalled)
        history.system.later(1.5, lambda: history.system.end(child))

    history.old.obey = forks_and_fails
    record = history.run()
    assert record.phase is Phase.FAILED and "could not re-execute itself" in record.reason
    assert record.ended - record.signalled < 3 and history.signals == ["USR2 old"]


def test_a_worker_that_ends_is_not_a_re_exec_that_failed() -> None:
    """A worker that the old master has reaped says nothing about the new master."""
    history = History()
    obeys_late(history, 2.0)
    worker = history.unicorn.workers(history.old)[0]
    history.system.later(0.2, lambda: history.system.end(worker))
    assert history.run().succeeded


def test_a_helper_of_the_old_master_is_not_a_re_exec_that_failed() -> None:
    """What it runs in a hook is forked as the new master is, and says nothing about that."""
    history = History()
    obeys_late(history, 2.0)
    helper = history.system.add(
        ppid=history.old.pid, forked=True, words=["unicorn master"], catches=set(MASTER_CATCHES)
    )

    def becomes_a_helper() -> None:
        helper.forked, helper.words, helper.catches = False, ["git", "rev-parse"], set()

    history.system.later(0.1, becomes_a_helper)
    history.system.later(0.2, lambda: history.system.end(helper))
    assert history.run().succeeded


@pytest.mark.parametrize("stays", [True, False])
def test_a_helper_that_was_there_before_is_not_the_re_exec(stays: bool) -> None:
    """It is forked as the new master is, with the master's handlers, but before USR2 is sent."""
    history = History()
    obeys_late(history, 0.7)
    helper = history.system.add(
        ppid=history.old.pid, forked=True, words=["ruby"], catches=set(MASTER_CATCHES)
    )
    history.system.later(0.1, lambda: None if stays else history.system.end(helper))
    record = history.run()
    assert record.succeeded and record.strength == 2
    assert history.signals == ["USR2 old", "QUIT old"]


def test_a_worker_that_was_forked_just_now_is_not_a_re_exec_that_failed() -> None:
    """It has the master's handlers for a moment, and may end before the new master comes."""
    history = History()
    obeys_late(history, 2.0)
    history.unicorn.fork_worker(history.old, None)
    worker = history.unicorn.workers(history.old)[-1]
    worker.catches = set(MASTER_CATCHES)

    def becomes_a_worker() -> None:
        worker.catches = {SIGQUIT}

    history.system.later(0.1, becomes_a_worker)
    history.system.later(0.4, lambda: history.system.end(worker))
    assert history.run().succeeded


def test_an_app_that_ends_the_old_master_before_the_driver_looks() -> None:
    """The new master is the host's child then, and is found there."""
    history = History()
    history.system.processes[history.old.pid].pgrp = 7
    obey = history.old.obey

    def re_exec_and_end(number: Signals) -> None:
        obey(number)
        history.system.advance_to(history.system.now + 0.2)
        history.new.pgrp = 7
        history.system.end(history.old)

    history.old.obey = re_exec_and_end
    record = history.run()
    assert record.succeeded and history.phases[1:-1] == [
        "re-executing",
        "booting",
        "alone",
        "confirming",
    ]


def test_a_program_that_has_not_execed_yet_is_waited_for() -> None:
    """It shows the host's command line until then."""
    history = History()
    words, history.old.forked, history.old.words = history.old.words, True, ["supervisord"]

    def execs() -> None:
        history.old.forked, history.old.words = False, words

    history.system.later(1.0, execs)
    assert history.run().succeeded


def test_the_old_master_dies_while_the_new_boots() -> None:
    """There is no way back, but the new one is followed to its end, without any signal."""
    history = History()
    history.at_phase[Phase.BOOTING] = lambda: history.system.end(history.old)
    record = history.run()
    assert record.succeeded and history.phases[-3:-1] == ["alone", "confirming"]
    assert history.signals == ["USR2 old"]


def test_both_masters_die() -> None:
    """With no master left the handover has failed, and nobody is signalled."""
    history = History()
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.system.end(history.old)
    history.run(Phase.ALONE)
    history.system.end(history.new)
    record = history.run()
    assert record.phase is Phase.FAILED and "both masters ended" in record.reason
    assert history.signals == ["USR2 old"]


def test_a_new_master_alone_that_hangs_is_left_alone() -> None:
    """With the old one gone, what is left is not killed, though it is not ready in time."""
    history = History(boot_timeout=3.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.system.end(history.old)
    record = history.run()
    assert record.phase is Phase.FAILED and "the old master has ended" in record.reason
    assert history.new.alive and history.signals == ["USR2 old"]


def test_an_old_master_that_does_not_drain_is_told_harder() -> None:
    """After drain_timeout it is told to cut its requests."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains = None
    record = history.run()
    assert record.succeeded and history.signals == ["USR2 old", "QUIT old", "TERM old"]
    assert history.phases[-3:] == ["draining", "forcing", "done"]


def test_an_old_master_that_obeys_nothing_is_killed() -> None:
    """It is killed with its workers in the end, and the release has succeeded."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains, history.unicorn.obeys_quick = None, False
    record = history.run()
    assert record.succeeded
    assert history.signals == ["USR2 old", "QUIT old", "TERM old", "STOP old", "KILL old"]
    assert len(history.system.processes) == 3


def test_a_killed_master_that_does_not_end() -> None:
    """It waits in the kernel, nobody knows for how long; the caller is told."""
    history = History(drain_timeout=5.0)
    history.unicorn.drains, history.unicorn.obeys_quick = None, False
    history.system.unkillable.add(history.old.pid)
    record = history.run()
    assert record.phase is Phase.FAILED and "was killed and does not end" in record.reason
    assert history.new.alive


def test_the_new_master_dies_while_the_old_drains() -> None:
    """The old one keeps its time for its last requests, and the end is told as a failure."""
    history = History()
    history.unicorn.drains = None
    history.run(Phase.DRAINING)
    history.system.end(history.new)
    record = history.run()
    assert record.phase is Phase.FAILED and "after the old one was told to quit" in record.reason
    assert record.ended - record.began >= Options().drain_timeout
    assert history.signals[:3] == ["USR2 old", "QUIT old", "TERM old"]


def test_soak_keeps_the_old_master_without_workers() -> None:
    """The old workers are told to end, and after the soak so is the old master."""
    history = History(soak=10.0)
    history.run(Phase.SOAKING)
    soaking = history.system.now
    record = history.run()
    assert record.succeeded and record.ended - soaking >= 10
    assert history.signals == ["USR2 old", "WINCH old", "QUIT old"]


@pytest.mark.parametrize("crashes", [False, True])
def test_an_old_master_that_dies_in_the_soak_proves_nothing(crashes: bool) -> None:
    """There is no way back then; whether the release is good is still told by its workers."""
    history = History(soak=10.0)
    history.run(Phase.SOAKING)
    for worker in history.unicorn.workers(history.new) if crashes else []:
        history.system.end(worker)
        history.unicorn.fork_worker(history.new, None)
    history.system.end(history.old)
    record = history.run()
    assert record.succeeded is not crashes and "alone" in history.phases[-3:]
    assert history.signals == ["USR2 old", "WINCH old"] and history.new.alive


def test_promote_ends_the_soak() -> None:
    """The operator may end the soak before its time."""
    history = History(soak=1000.0)
    history.run(Phase.SOAKING)
    assert history.handover
    history.handover.command(Event.PROMOTE)
    assert history.run(seconds=5).succeeded


def test_promote_waits_for_the_soak() -> None:
    """Asked for while the new master boots, it is kept until the workers are ready."""
    history = History(soak=1000.0)
    history.run(Phase.BOOTING)
    assert history.handover
    history.handover.command(Event.PROMOTE)
    assert history.run(seconds=5).succeeded and "soaking" in history.phases


@pytest.mark.parametrize("lost", [False, True], ids=["same driver", "next driver"])
def test_rollback_brings_the_old_workers_back_first(lost: bool) -> None:
    """The old master gets its workers back, never too many, and then the new one quits."""
    history = History(soak=1000.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    assert history.handover and history.unicorn.workers(history.old) == []
    history.handover.command(Event.ROLLBACK)
    if lost:
        history.run(Phase.RESTORING)
        history.begin(history.lose_driver())
    record = history.run()
    assert record.phase is Phase.FAILED and record.reason == "rolled back by command"
    assert len(history.unicorn.workers(history.old)) == 2 and not history.new.alive
    assert history.signals == ["USR2 old", "WINCH old", "TTIN old", "TTIN old", "QUIT new"]


def test_rollback_while_booting() -> None:
    """Before the soak the old workers were never gone: the new master quits."""
    history = History()
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    record = history.run()
    assert record.reason == "rolled back by command" and history.signals == ["USR2 old", "QUIT new"]


def test_the_new_master_dies_in_the_soak() -> None:
    """The old master gets its workers back at once."""
    history = History(soak=1000.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    history.system.end(history.new)
    record = history.run(seconds=5)
    assert record.phase is Phase.FAILED and "ended in the soak" in record.reason
    assert history.signals == ["USR2 old", "WINCH old", "TTIN old", "TTIN old"]


def test_old_workers_that_do_not_come_back_leave_the_new_release_serving() -> None:
    """A way back that is not one ends in the new release, and with a reason."""
    history = History(soak=1000.0, boot_timeout=5.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    history.unicorn.fork_worker = lambda master, boots: None  # type: ignore[method-assign]
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    record = history.run()
    assert record.phase is Phase.DONE and not record.succeeded and history.new.alive
    assert record.reason.startswith("rolled back by command")


def test_nothing_to_serve_in_the_soak_and_no_way_back() -> None:
    """If neither release has workers, the old master is not told to quit as well."""
    history = History(soak=1000.0, boot_timeout=5.0)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    history.unicorn.fork_worker = lambda master, boots: None  # type: ignore[method-assign]
    history.system.end(history.new)
    record = history.run()
    assert record.phase is Phase.FAILED and "QUIT old" not in history.signals


PHASES = [Phase.CHECKING, Phase.RE_EXECUTING, Phase.BOOTING, Phase.SOAKING, Phase.DRAINING]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.value)
@pytest.mark.parametrize("away", [0.02, 2.0])
def test_the_next_driver_goes_on(phase: Phase, away: float) -> None:
    """In whatever phase a driver is lost, the next one ends the handover, with one new master."""
    history = History(soak=3.0)
    title = history.old.words
    if phase is Phase.CHECKING:  # which lasts while it starts
        history.old.words = ["ruby", "/usr/bin/unicorn"]
    obeys_late(history, 0.01)  # the child of its re-exec is younger than USR2, and has yet to exec
    history.run(phase)
    record = history.lose_driver()
    assert record.phase is phase
    history.old.words = title
    history.system.advance_to(history.system.now + away)
    history.begin(record)
    assert history.run().succeeded
    assert history.signals.count("USR2 old") == 1 and "QUIT new" not in history.signals
    assert len(history.unicorn.masters) == 2
    assert not history.old.alive and history.new.alive


def test_the_next_driver_finds_a_stranger_with_the_old_number() -> None:
    """A process that has the old master's number but not its start time gets no signal."""
    history = History()
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    record = history.lose_driver()
    history.old.start += 1
    history.new.start += 1
    history.begin(record)
    sent = len(history.system.signals)
    assert history.run().phase is Phase.FAILED
    assert len(history.system.signals) == sent


def test_handles_are_given_back() -> None:
    """After the end no pidfd is left open."""
    for soak in (0.0, 2.0):
        history = History(soak=soak)
        history.run()
        assert history.handover
        history.handover.close()
        assert history.system.open_handles == 0


REFUSALS: dict[str, tuple[Callable[[History], object], str]] = {
    "no handler": (lambda h: h.old.catches.clear(), "was still starting"),
    "not a server": (lambda h: setattr(h.old, "words", ["/bin/sh", "-c", "x"]), "is neither"),
    "no directory": (
        lambda h: (setattr(h.old, "cwd", "/nosuch"), setattr(h.old, "words", ["unicorn master"])),
        "the working directory",
    ),
    "no executable": (lambda h: setattr(h.old, "executable", "/nosuch"), "the executable"),
    "no script": (
        lambda h: setattr(h.old, "words", ["python3", "/nosuch/gunicorn", "a:b"]),
        "the script",
    ),
    "two masters": (lambda h: h.old.obey(SIGUSR2), "already has a new"),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_refused_before_the_first_signal(fault: str) -> None:
    """What cannot be re-executed is told what it lacks, and gets no signal."""
    history = History()
    harm, reason = REFUSALS[fault]
    harm(history)
    history.system.advance_to(history.system.now + 0.1)
    record = history.run()
    assert record.phase is Phase.FAILED and reason in record.reason, record.reason
    assert history.system.signals == [] and history.phases == ["checking", "failed"]


def test_a_server_that_does_not_show_when_it_has_forked_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A release with more workers is not taken as whole while they are still being forked."""
    monkeypatch.setattr(SERVERS["unicorn"], "all_forked", lambda system, pid: None)
    history = History()
    fork = history.unicorn.fork_worker

    def fork_six(master: Fake) -> None:
        for number in range(6):
            history.system.later(0.15 * number, lambda: fork(master, 0.01))

    history.unicorn.fork_workers = fork_six  # type: ignore[method-assign]
    record = history.run()
    assert record.succeeded and record.ready == 6


def test_a_program_that_is_not_the_server_it_is_said_to_be() -> None:
    """The `server` option takes no proof's place: a shell would die of USR2."""
    history = History(server="unicorn")
    history.old.words, history.old.catches = ["/bin/sh", "-c", "x"], set()
    record = history.run()
    assert "is no master of unicorn, or still starts, and would die of USR2" in record.reason
    assert history.system.signals == [] and record.ended - record.began < 1


def test_a_starting_master_gets_usr2_when_it_obeys_it() -> None:
    """A starting ruby has handlers and dies of USR2; one that loads its app obeys it later."""
    history = History()
    serving = set(history.old.catches)
    history.old.words, history.old.catches = ["ruby", "unicorn", "-c", "u.rb"], {SIGUSR2}
    history.system.later(3, lambda: history.old.catches.update(serving))
    history.system.later(5, lambda: setattr(history.old, "words", ["unicorn master -c u.rb"]))
    record = history.run()
    assert record.succeeded and 5 <= record.signalled - record.began < 6
    assert history.signals == ["USR2 old", "QUIT old"]


def test_an_exit_between_a_step_and_the_wait_is_not_missed() -> None:
    """A master that dies after it was looked at is still waited for, and only until it is seen."""
    history = History()
    history.run(until=Phase.BOOTING)
    assert history.handover
    history.handover.step()
    history.system.end(history.new)
    assert history.new.pid in list(history.handover.descriptors())
    history.handover.step()
    assert history.new.pid not in list(history.handover.descriptors())


# -- the way back ----------------------------------------------------------------------------------


def roll_back_from(history: History) -> Record:
    """Let the operator roll a soak back; return what comes of it."""
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    return history.run()


def soaking(**options: object) -> History:
    """A history in a long soak, a second after it began."""
    history = History(soak=1000.0, **options)
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    return history


def serving(history: History) -> int:
    """How many of the old master's workers are ready and not told to quit."""
    unicorn = history.unicorn
    found = unicorn.workers(history.old)
    return sum(w.pid not in unicorn._quitting and SIGUSR1 in w.catches for w in found)


@pytest.mark.parametrize("lost", [False, True], ids=["same driver", "next driver"])
@pytest.mark.parametrize("strength", [1, 2, 5])
def test_old_workers_that_still_answer_hold_up_nobody(strength: int, lost: bool) -> None:
    """Though they count for the master, others are started at once, and none is left over."""
    history = History(soak=1000.0)
    for _ in range(strength - 2):
        history.old.obey(SIGTTIN)
    if strength == 1:
        history.old.obey(SIGTTOU)
    history.unicorn.strength = strength
    history.system.advance_to(history.system.now + 1)
    history.unicorn.finishes = 20.0
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    assert history.handover and serving(history) == 0
    history.system.end(history.new)
    began, full = history.system.now, 0.0
    while not history.handover.finished:
        history.handover.step()
        if lost and history.system.now >= began + 0.3:
            lost = False
            history.begin(history.lose_driver())
        history.system.advance_to(history.system.now + 0.05)
        full = full or (history.system.now if serving(history) >= strength else 0.0)
        assert not full or serving(history) >= strength
    assert full - began < 2
    assert len(history.unicorn.workers(history.old)) == strength == serving(history)
    assert history.unicorn.wanted[history.old.pid] == strength


@pytest.mark.parametrize("lost", [None, Phase.RESTORING, Phase.REMOVING, Phase.SETTLING])
def test_a_bad_release_goes_before_the_old_workers_last_requests(lost: Phase | None) -> None:
    """It is removed when the old master is at full strength; the rest is settled after that."""
    history = History(soak=1000.0)
    history.unicorn.finishes = 20.0
    history.run(Phase.SOAKING)
    history.system.advance_to(history.system.now + 1)
    assert history.handover
    history.handover.command(Event.ROLLBACK)
    if lost:
        history.run(lost)
        history.begin(history.lose_driver())
    history.run(Phase.SETTLING, seconds=10)
    assert not history.new.alive and serving(history) == 2
    assert len(history.unicorn.workers(history.old)) == 4
    record = history.run(seconds=60)
    assert record.phase is Phase.FAILED and record.reason == "rolled back by command"
    assert len(history.unicorn.workers(history.old)) == 2 == serving(history)
    assert history.unicorn.wanted[history.old.pid] == 2


def test_workers_that_somebody_brought_back_in_the_soak_count() -> None:
    """After HUP the old master is at full strength already: nothing is added, nothing dropped."""
    history = soaking()
    history.old.obey(SIGHUP)
    history.system.advance_to(history.system.now + 1)
    before = history.system.now
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and record.ended - before < 1 and not history.new.alive
    assert history.signals == ["USR2 old", "WINCH old", "QUIT new"]
    assert len(history.unicorn.workers(history.old)) == 2


@pytest.mark.parametrize("number", [1, 4])
def test_workers_that_somebody_added_in_the_soak(number: int) -> None:
    """One more by hand, or too many, and the way back still ends at the old strength, soon."""
    history = soaking()
    for _ in range(number):
        history.old.obey(SIGTTIN)
    history.system.advance_to(history.system.now + 1)
    before = history.system.now
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and record.ended - before < 4
    assert serving(history) == 2 == history.unicorn.wanted[history.old.pid]


def test_the_next_driver_leaves_workers_that_were_brought_back() -> None:
    """It takes up the soak without telling them to end."""
    history = soaking()
    history.old.obey(SIGHUP)
    history.system.advance_to(history.system.now + 1)
    history.begin(history.lose_driver())
    assert history.signals == ["USR2 old", "WINCH old"] and serving(history) == 2


def test_some_old_workers_are_better_than_a_bad_release() -> None:
    """If not all are back in time, those that are take over."""
    history = soaking(boot_timeout=5.0)
    start, started = history.unicorn.fork_worker, []

    def only_one(master: Fake, boots: float | None) -> None:
        if not started:
            started.append(start(master, boots))

    history.unicorn.fork_worker = only_one  # type: ignore[method-assign]
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and history.old.alive and not history.new.alive


def test_what_is_told_while_workers_are_brought_back() -> None:
    """The numbers are those of the old workers; what follows counts the new ones again."""
    history = soaking()
    roll_back_from(history)
    told = [(r.ready, r.total) for r in history.reports if r.phase is Phase.RESTORING]
    assert (0, 2) in told
    removing = next(r for r in history.reports if r.phase is Phase.REMOVING)
    assert (removing.ready, removing.total) == (2, 2)


def test_an_old_master_that_had_no_workers() -> None:
    """Where there is nothing to bring back, the new master is removed at once."""
    history = History(soak=1000.0)
    for _ in range(2):
        history.old.obey(SIGTTOU)
    history.system.advance_to(history.system.now + 1)
    history.run(Phase.SOAKING)
    record = roll_back_from(history)
    assert record.phase is Phase.FAILED and not history.new.alive and history.old.alive
    assert history.signals == ["USR2 old", "QUIT new"]


class Slow:
    """A check that has no answer yet."""

    passed = failed = False
    failure = note = ""

    def __init__(self, *arguments: object) -> None:
        pass

    def step(self, now: float) -> None:
        pass

    close = __init__


def test_a_check_that_is_slow_has_time_and_its_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short boot_timeout is, three questions have their time; the workers get no blame."""
    monkeypatch.setattr("unicorn_handover.driver.check.Check", Slow)
    history = History(boot_timeout=2.0, check="http://127.0.0.1:1/")
    history.run(Phase.SOAKING)
    began = history.system.now
    record = history.run(Phase.RESTORING)
    assert record.since - began >= 18 and record.reason.startswith("the check had no good answer")
    history.run()


def crash(history: History, worker: Fake, status: int = 1 << 8) -> None:
    """Let a worker of the new master die; the master replaces it a moment later."""
    history.system.end(worker, status)
    history.system.later(0.05, lambda: history.unicorn.fork_worker(history.new, 0.1))


def live(history: History, seconds: float) -> None:
    """Let time pass in a phase that does not end."""
    assert history.handover
    until = history.system.now + seconds
    while history.system.now < until:
        history.handover.step()
        history.system.advance_to(history.system.now + 0.05)


@pytest.mark.parametrize("tells_ends", [True, False])
@pytest.mark.parametrize("status", [1 << 8, SIGSEGV], ids=["exit", "signal"])
def test_new_workers_that_crash_in_the_soak_when_they_were_ready(
    status: int, tells_ends: bool
) -> None:
    """Three that are replaced and die again within seconds are a crash loop."""
    history = History(soak=1000.0)
    history.system.tells_ends = tells_ends
    history.run(Phase.SOAKING)
    for _ in range(3):
        crash(history, history.unicorn.workers(history.new)[0], status)
        live(history, 0.5)
    record = history.run()
    assert record.phase is Phase.FAILED and "keep dying in the soak" in record.reason


def recycle(
    history: History, seconds: float, times: int, master: Callable[[], Fake], status: int = 0
) -> None:
    """Let the eldest worker of a master end, well if not told, and be replaced, so many times."""
    system, unicorn = history.system, history.unicorn

    def end_one() -> None:
        system.end(unicorn.numbered(master())[0], status)
        unicorn.fork_worker(master(), 0.1)

    for turn in range(times):
        system.later(seconds * (turn + 1), end_one)


def test_new_workers_that_recycle_themselves_in_the_soak() -> None:
    """max_requests and worker killers end them well, time and again, and however young."""
    history = History(soak=8.0)
    history.run(Phase.SOAKING)
    recycle(history, 0.4, 18, lambda: history.new)
    assert history.run().succeeded


def test_workers_that_recycle_themselves_without_a_pause() -> None:
    """At every moment one of them boots, in the place of one that was ready."""
    history = History(soak=2.0)
    history.run(Phase.SOAKING)

    def recycle_for_ever() -> None:
        if history.new.alive:
            history.system.end(history.unicorn.numbered(history.new)[0])
            history.unicorn.fork_worker(history.new, 0.9)
            history.system.later(0.5, recycle_for_ever)

    recycle_for_ever()
    record = history.run()
    assert record.succeeded and record.ended - record.signalled < 5


@pytest.mark.parametrize(("seconds", "good"), [(1.2, True), (0.2, False)])
@pytest.mark.parametrize(
    ("tells_ends", "status"), [(False, 0), (True, SIGKILL)], ids=["not told", "SIGKILL"]
)
def test_workers_that_recycle_themselves_where_it_does_not_show_that_they_end_well(
    tells_ends: bool, status: int, seconds: float, good: bool
) -> None:
    """The old ones do the same: what is usual here is no crash. A quicker end is one."""
    history = History(soak=8.0)
    history.system.tells_ends = tells_ends
    recycle(history, 1.2, 10, lambda: history.old, status)
    history.system.advance_to(history.system.now + 12)
    history.run(Phase.SOAKING)
    recycle(history, seconds, 6, lambda: history.new, status)
    assert history.run().succeeded is good


def test_a_worker_that_ended_is_judged_when_its_master_has_waited_for_it() -> None:
    """Before, the kernel does not tell how it ended."""
    history = History(soak=3.0)
    history.run(Phase.SOAKING)
    worker = history.unicorn.workers(history.new)[0]
    history.system.zombies.add(worker.pid)
    worker.alive = False
    live(history, 0.5)
    history.system.end(worker)
    history.unicorn.fork_worker(history.new, 0.1)
    assert history.run().succeeded


def test_new_workers_that_are_dropped_in_the_soak() -> None:
    """Fewer workers by TTOU, just when the release is ready, are no crash loop."""
    history = History(soak=20.0)
    history.unicorn.strength = 5
    history.run(Phase.SOAKING)
    for _ in range(4):
        history.new.obey(SIGTTOU)
    assert history.run().succeeded


def test_deaths_at_boot_are_not_counted_in_the_soak() -> None:
    """Two workers that died at boot, and one long after, are not a crash loop."""
    history = History(soak=1000.0)
    history.run(Phase.BOOTING)
    for _ in range(2):
        while not history.unicorn.numbered(history.new):
            live(history, 0.05)
        live(history, 0.1)
        crash(history, history.unicorn.workers(history.new)[0])
        live(history, 0.1)
    history.run(Phase.SOAKING)
    live(history, 10)
    crash(history, history.unicorn.workers(history.new)[0])
    live(history, 0.1)
    crash(history, history.unicorn.workers(history.new)[-1])
    live(history, 2)
    assert history.handover and history.handover.record.phase is Phase.SOAKING


def writing_history(**options: object) -> History:
    """One whose old master writes to "log", where something is written already."""
    history = History(**options)
    history.old.writes = ["log"]
    history.system.files["log"] = "RuntimeError: of long ago\n"
    return history


def test_the_cause_is_read_from_the_old_master_s_files() -> None:
    """A new master opens the same; it may be gone before anybody sees what it has open."""
    history = writing_history()
    history.unicorn.dies = 0.4
    history.system.later(
        0.2, lambda: history.system.files.update(log="RuntimeError: of long ago\nOSError: now")
    )
    assert history.run().output == ("OSError: now",)


def test_the_cause_is_read_from_what_only_the_new_master_writes() -> None:
    """A changed configuration names another log."""
    history = writing_history(boot_timeout=5.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.new.writes = ["log", "new.log"]
    history.system.files["new.log"] = "OSError: now\n"
    assert history.run().output == ("OSError: now",)


def test_what_the_backing_out_makes_them_write_is_no_cause() -> None:
    """Only what was written until the handover failed is read."""
    history = writing_history(boot_timeout=5.0)
    history.unicorn.boots = None
    history.at_phase[Phase.REMOVING] = lambda: history.system.files.update(
        log=history.system.files["log"] + "RuntimeError: told to quit\n"
    )
    assert history.run().output == ()


def test_another_driver_reads_on_from_where_it_came() -> None:
    """It does not take what was written long ago for the cause."""
    history = writing_history(boot_timeout=5.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.begin(history.lose_driver())
    history.system.later(
        1.0, lambda: history.system.files.update(log="RuntimeError: of long ago\nOSError: now\n")
    )
    assert history.run().output == ("OSError: now",)


def test_a_good_release_has_no_output() -> None:
    """Whatever is written."""
    history = writing_history()
    history.system.later(0.2, lambda: history.system.files.update(log="x" * 500))
    record = history.run()
    assert record.succeeded and record.output == ()
