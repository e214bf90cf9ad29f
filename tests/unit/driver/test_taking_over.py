"""A new master has taken over when its pid file names it, and not if it ends at that."""

from __future__ import annotations

import pytest

from unicorn_handover.driver.re_exec import REFUSED_AFTER
from unicorn_handover.host.side import describe
from unicorn_handover.model.deadlines import HARD_PAUSE
from unicorn_handover.model.phases import Phase
from unicorn_handover.servers import SERVERS, Configured

from .history import History

PATH = "/run/web.pid"


class WithPidFile(History):
    """The new master writes the pid file some time after the old one's end, as gunicorn does."""

    def __init__(self, writes: float | None, option: str = PATH) -> None:
        super().__init__(pidfile=option)
        self.system.files["/u.rb"] = "pid ENV['PIDFILE']"  # so that the option counts
        self.system.files[PATH] = f"{self.old.pid}"
        obey = self.old.obey

        def end(number: object) -> None:
            obey(number)  # type: ignore[arg-type]
            if getattr(number, "name", "") == "SIGQUIT":
                self.system.later(self.unicorn.drains, self.ended)  # type: ignore[arg-type]

        self.old.obey = end
        self.writes = writes

    def ended(self) -> None:
        """The old master takes its pid file with it."""
        self.system.files.pop(PATH)
        if self.writes is not None:
            write = {PATH: f"{self.new.pid}"}
            self.system.later(self.writes, lambda: self.system.files.update(write))


def test_done_waits_for_the_pid_file() -> None:
    """A deploy script reads it at once."""
    history = WithPidFile(writes=0.7)
    assert history.run().succeeded and history.phases[-3:] == ["draining", "confirming", "done"]
    assert history.system.pid_in(PATH) == history.new.pid


def test_a_pid_file_that_is_there_already() -> None:
    """As unicorn's is; then nothing is waited for, and no phase is seen."""
    history = WithPidFile(writes=None)
    history.at_phase[Phase.DRAINING] = lambda: history.system.files.update(
        {PATH: f"{history.new.pid}"}
    )
    history.ended = lambda: None  # type: ignore[method-assign]
    assert history.run().succeeded and "confirming" not in history.phases


def test_a_pid_file_that_never_comes() -> None:
    """The new master serves, so that is no failure; it is waited for some seconds."""
    history = WithPidFile(writes=None)
    record = history.run()
    assert record.succeeded and "confirming" in history.phases
    began = next(r.since for r in history.reports if r.phase is Phase.CONFIRMING)
    assert HARD_PAUSE <= record.ended - began < HARD_PAUSE + 1


def test_a_new_master_that_ends_as_it_takes_over() -> None:
    """gunicorn's does, if its pid file names another process: the restart has failed then."""
    history = WithPidFile(writes=None)
    history.at_phase[Phase.CONFIRMING] = lambda: history.system.later(
        0.5, lambda: history.unicorn._end(history.new)
    )
    record = history.run()
    assert record.phase is Phase.FAILED
    assert record.reason == (
        f"the new master (pid {history.new.pid}) ended when it took the place of the old one"
    )


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_a_pid_file_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A server that promotes itself is given the time for that."""
    monkeypatch.setattr(SERVERS["unicorn"], "promotes_itself", seconds)
    history = WithPidFile(writes=None, option="")
    record = history.run()
    assert record.succeeded and ("confirming" in history.phases) is (seconds > 0)


def test_another_driver_goes_on_confirming() -> None:
    """It sees the same."""
    history = WithPidFile(writes=2)
    history.run(until=Phase.CONFIRMING)
    history.begin(history.lose_driver())
    assert history.run().succeeded and history.system.pid_in(PATH) == history.new.pid


@pytest.mark.parametrize("stopped", [False, True])
def test_a_master_that_takes_usr2_and_does_nothing(stopped: bool) -> None:
    """It has refused, and says why in its log. One that is stopped may come to it."""
    history = History(boot_timeout=60)
    history.old.obey = lambda number: None
    if stopped:
        history.system.stopped.add(history.old.pid)
    record = history.run()
    why = "no new master appeared in time" if stopped else "took USR2 and did not re-execute itself"
    assert record.phase is Phase.FAILED and why in record.reason
    took = record.ended - record.signalled
    assert took >= 60 if stopped else REFUSED_AFTER <= took < REFUSED_AFTER + 1
    assert history.handover and history.handover.new_may_come


@pytest.mark.parametrize(("drains", "warned"), [(1.5, False), (2.5, True)])
def test_an_old_master_that_ends_at_its_own_limit(
    monkeypatch: pytest.MonkeyPatch, drains: float, warned: bool
) -> None:
    """It has cut what it had not answered by then, which is no failure, but is told."""
    told = Configured("/", True, "", drain_limit=2.0)
    monkeypatch.setattr(SERVERS["unicorn"], "configured", lambda system, pid, launch: told)
    history = History()
    history.unicorn.drains = drains
    record = history.run()
    assert record.succeeded and ("its own graceful_timeout, 2 s" in record.warning) is warned
    assert (record.warning in describe(record)) if warned else not record.warning
