"""What one host remembers of a program, and how the next one finds it again."""

from __future__ import annotations

import json
from pathlib import Path
from signal import SIGABRT, SIGTERM

from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost, id_of
from ..fake_process import Fake
from .remembering import full_disk, killed, note_of


def test_a_running_master_is_found(first: FakeHost, state: Path) -> None:
    """By its pid and start time, in its group, with what the host needs of it."""
    fake = first.start(first.web)
    found = killed(first, state).web.survival.find()
    assert found and found.master == id_of(fake) and found.group == fake.pgrp
    assert found.note.own == {"section": "web"} and not found.note.ending
    assert not found.was_beside


def test_only_what_an_earlier_host_has_left(first: FakeHost) -> None:
    """A host does not find its own."""
    assert first.web.survival.find() is None
    first.start(first.web)
    assert first.web.survival.find() is None


def test_its_exit_is_seen(first: FakeHost, state: Path) -> None:
    """It is no child; the host is called once its parent has reaped it, with its status."""
    fake = first.start(first.web)
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.master
    ends: list[object] = []
    master = host.web.hold(found.master.pid, lambda: ends.append(master.status), found.group)
    host.loop.turn()  # type: ignore[attr-defined]
    assert not master.is_child and ends == []
    host.kernel.end(fake, status=9)
    host.loop.turn()  # type: ignore[attr-defined]
    host.loop.turn()  # type: ignore[attr-defined]
    assert ends == [9]
    host.wait(5)
    assert ends == [9] and host.kernel.open_handles == 0


def test_one_that_is_not_reaped(first: FakeHost, state: Path) -> None:
    """Its parent may take its time: the host does not wait for it."""
    fake = first.start(first.web)
    host = killed(first, state)
    host.kernel.tells_ends = False
    ends: list[object] = []
    master = host.web.hold(fake.pid, lambda: ends.append(master.status), fake.pgrp)
    fake.alive = False
    master.look()
    master.look()
    assert ends == []
    host.wait(0.3)
    assert ends == [None] and host.kernel.open_handles == 0


def test_one_that_ends_before_it_is_held(first: FakeHost, state: Path) -> None:
    """Init has reaped it by then: its end is reported all the same, as that of no child."""
    fake = first.start(first.web)
    host = killed(first, state)
    assert host.web.survival.find()
    host.kernel.end(fake)
    ends: list[object] = []
    master = host.web.hold(fake.pid, lambda: ends.append(master.is_child), fake.pgrp)
    host.wait(0)
    assert ends == [False]


def test_a_dead_master_s_successor(first: FakeHost, state: Path) -> None:
    """It died while no host was there: who it re-executed is in its group, and proven."""
    fake = first.start(first.web)
    new = first.successor(fake)
    first.kernel.end(fake)
    new.ppid = 999
    stranger = first.successor(fake)
    stranger.pgrp = 4711
    found = killed(first, state).web.survival.find()
    assert found and found.master == id_of(new) and found.group == fake.pgrp


def test_a_successor_of_a_survivor(first: FakeHost, state: Path) -> None:
    """It is no child of the host either, when the survivor ends."""
    fake = first.start(first.web)
    host = killed(first, state)
    master = host.web.hold(fake.pid, lambda: None, fake.pgrp)
    new = host.successor(fake)
    host.kernel.end(fake)
    new.ppid = 999
    held = host.web.died(master)
    assert held and held.pid == new.pid
    master.replace(held)
    assert not master.is_child


def test_workers_of_a_dead_master_are_orphans(first: FakeHost, state: Path) -> None:
    """They are minded as after a crash; the program has no master then."""
    fake = first.start(first.web)
    worker = first.kernel.add(ppid=fake.pid, forked=True, words=["unicorn worker"])
    first.kernel.end(fake)
    worker.ppid = 999
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.master is None
    host.wait(host.web.options.drain_timeout + 1)
    assert ("KILL", worker.pid) in host.kernel.signals


def test_a_handover_goes_on(first: FakeHost, state: Path) -> None:
    """Its record, and those that ended, are as they were; no number is given twice."""
    fake = first.start(first.web)
    first.request(first.web)
    first.drive(Phase.FAILED, reason="no")
    first.request(first.web)
    new = first.successor(fake)
    first.drive(Phase.BOOTING, new=id_of(new), server="unicorn", signalled=first.kernel.now)
    before = first.web.handovers.running
    first.wait(100)
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.master
    host.web.hold(found.master.pid, lambda: None, found.group)
    host.web.survival.resume(found)
    handovers = host.web.handovers
    assert before and handovers.running == before.but(inherited=True, unwatched=100)
    assert [r.number for r in handovers.ended] == [1]
    assert handovers.last == 2 and host.published == [("web", 2, "booting")]


def test_a_handover_that_went_further_than_its_host_knew(first: FakeHost, state: Path) -> None:
    """The driver has sent USR2, and the host was killed before it heard of that."""
    fake = first.start(first.web)
    first.request(first.web)
    first.drive(Phase.CHECKING)
    host = killed(first, state)
    new = host.successor(fake)
    found = host.web.survival.find()
    assert found and found.master
    host.web.hold(found.master.pid, lambda: None, found.group)
    host.web.survival.resume(found)
    running = host.web.handovers.running
    assert running and running.phase is Phase.BOOTING and running.found
    assert running.new == id_of(new) and running.server == "unicorn"


def test_workers_that_a_dead_master_has_left(first: FakeHost, state: Path) -> None:
    """A gunicorn's idle ones would serve on for long; those of the master that lives stay."""
    fake = first.start(first.web)
    left, own = (
        first.kernel.add(
            ppid=parent,
            forked=True,
            words=["gunicorn: worker [app]"],
            pgrp=fake.pgrp,
            catches={SIGABRT, SIGTERM},
            heartbeats={1: (5.0, 0o100600)},
        )
        for parent in (999, fake.pid)
    )
    host = killed(first, state)
    assert host.web.survival.find()
    assert host.kernel.signals == [("TERM", left.pid)] and own.alive


def test_what_a_dead_master_had_left_before(first: FakeHost, state: Path) -> None:
    """A helper with its sockets, which would be in the way of the next start: it is still ended.

    The program was started again meanwhile, in a process group of its own.
    """
    dead = first.start(first.web)
    master = first.web.hold(dead.pid, lambda: None, dead.pgrp)
    helper = first.kernel.add(ppid=dead.pid, forked=True, words=["helper"], pgrp=dead.pgrp)
    first.kernel.end(dead)
    helper.ppid = 1
    first.web.died(master)
    assert first.web.orphans.ids == [id_of(helper)]
    fake = first.start(first.web)
    host = killed(first, state)
    assert host.web.survival.find()
    host.kernel.advance_to(host.kernel.now + host.web.options.drain_timeout + 1)
    host.web.orphans.mind()
    assert ("KILL", helper.pid) in host.kernel.signals and fake.alive


def test_a_handover_whose_new_master_is_left(first: FakeHost, state: Path) -> None:
    """The old one ended while no host was there: the new one is the master, and may be quitting."""
    fake = first.start(first.web)
    first.request(first.web)
    new = first.successor(fake)
    first.drive(Phase.DRAINING, new=id_of(new), server="unicorn")
    first.kernel.end(fake)
    new.ppid = 999
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.master == id_of(new)
    host.web.hold(new.pid, lambda: None, found.group)
    host.web.survival.resume(found)
    running = host.web.handovers.running
    assert running and running.phase is Phase.DRAINING and host.web.master == id_of(new)


def test_a_handover_whose_masters_have_ended(first: FakeHost, state: Path) -> None:
    """It has failed, and says why."""
    fake = first.start(first.web)
    first.request(first.web)
    first.kernel.end(fake)
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.master is None
    assert host.web.handovers.running is None
    assert host.web.handovers.ended[-1].reason == "the program ended while no host was there"


def stop(host: FakeHost, fake: Fake) -> None:
    """Stop web as a command does."""
    host.web.survival.stopping()
    host.kernel.end(fake)
    host.web.lost()


def test_stopped_and_being_stopped(first: FakeHost, state: Path) -> None:
    """What was stopped by command stays so, until it is started; a stop under way is known."""
    fake = first.start(first.web)
    first.web.survival.stopping()
    host = killed(first, state)
    found = host.web.survival.find()
    assert found and found.note.ending == "stop" and found.master
    host.web.hold(fake.pid, lambda: None, fake.pgrp)
    host.web.survival.stopping()
    host.kernel.end(fake)
    host.web.lost()
    third = killed(host, state)
    found = third.web.survival.find()
    assert found and found.note.stopped and found.master is None
    third.web.survival.begins()
    third.start(third.web)
    found = killed(third, state).web.survival.find()
    assert found and not found.note.stopped


def test_a_host_that_ends_leaves_nothing(first: FakeHost, state: Path) -> None:
    """Its programs end with it, stopped ones are started by the next: the folder is taken away."""
    fake, api = first.start(first.web), first.start(first.api)
    stop(first, fake)
    first.ends()
    assert list(state.glob("*/api-*")) and not list(state.glob("*/web-*"))
    first.api.survival.stopping()
    first.kernel.end(api)
    first.api.lost()
    assert list(state.iterdir()) == [] and first.notes is None


def test_one_that_is_left(first: FakeHost, state: Path) -> None:
    """It is remembered although its host ends, whatever happens there afterwards."""
    fake = first.start(first.web)
    first.web.survival.left = True
    first.ends()
    first.web.survival.leave()
    first.web.release()
    first.web.survival.note()
    found = killed(first, state).web.survival.find()
    assert found and found.master == id_of(fake)


def test_survive_no(first: FakeHost, state: Path) -> None:
    """Nothing is remembered."""
    first.web.options = type(first.web.options)(survive=False)
    first.start(first.web)
    assert list(state.glob("*/web-*")) == []


def test_what_cannot_be_remembered_is_not_left(first: FakeHost, state: Path) -> None:
    """On a full disk, say: the next host would not know what was meant."""
    assert first.web.survival.ask_to_leave() == "it is not running"
    first.start(first.web)
    with full_disk():
        assert "cannot be written" in first.web.survival.ask_to_leave()
        assert not first.web.survival.left
    first.tick()
    assert not json.loads(note_of(state).read_bytes())["left"]
    assert first.web.survival.ask_to_leave() == "" and first.web.survival.left


def test_one_that_is_managed_no_more(first: FakeHost, state: Path) -> None:
    """It is forgotten for good, also where its master ends after that."""
    first.start(first.web)
    first.forget("web", "the watcher is not managed any more")
    first.web.survival.lost()
    assert not list(state.glob("*/web-*"))
