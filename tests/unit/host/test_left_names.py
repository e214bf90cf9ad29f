"""The names of unix sockets that a server leaves at its end, and would not start on."""

from __future__ import annotations

from pathlib import Path
from signal import SIGQUIT

import pytest

from unicorn_handover.servers import SERVERS

from ..fake_host import FakeHost
from ..fake_listener import Made
from .holding import Site
from .remembering import killed

PATH, FILE = "/run/web.sock", (1, 2)


@pytest.fixture
def leaving(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """One whose server leaves them, as an nginx does."""
    monkeypatch.setattr(SERVERS["unicorn"], "leaves_names", True)
    site.kernel.file_ids[PATH] = FILE
    return site


@pytest.mark.parametrize("hold", [30, 0])
def test_removed_when_it_was_stopped(leaving: Site, hold: float) -> None:
    """Not before its end, and also where no socket is held."""
    leaving.options(hold=hold)
    master = leaving.start(path=PATH)
    leaving.host.wait(1)
    leaving.web.held.stopping()
    assert PATH in leaving.kernel.file_ids
    leaving.crash(master)
    assert PATH not in leaving.kernel.file_ids


def test_removed_when_a_killed_master_s_workers_have_ended(leaving: Site) -> None:
    """They listen for as long, and the next master could not bind the name."""
    leaving.options(hold=0)
    master = leaving.start(path=PATH)
    leaving.host.wait(1)
    (worker,) = leaving.unicorn.workers(master)
    leaving.kernel.answered = {PATH}
    leaving.kernel.end(master)
    leaving.web.died(leaving.master)
    leaving.host.wait(1)
    assert PATH in leaving.kernel.file_ids
    leaving.kernel.end(worker)
    leaving.kernel.answered = set()
    leaving.host.wait(1)
    assert PATH not in leaving.kernel.file_ids


def test_known_where_the_socket_cannot_be_held(leaving: Site) -> None:
    """The host has too few descriptors, say."""
    master = leaving.start(path=PATH, copy=900)
    leaving.host.wait(1)
    leaving.crash(master)
    assert PATH not in leaving.kernel.file_ids


def test_learned_from_what_a_master_has_left_that_was_killed_at_once(
    leaving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host's timers may come a second late, and nothing was known before."""
    monkeypatch.setattr(SERVERS["unicorn"], "orphan_ends_by", lambda system, pid: SIGQUIT)
    master = leaving.start(path=PATH)
    leaving.host.wait(0.01)
    (worker,) = leaving.unicorn.workers(master)
    leaving.kernel.listening[worker.pid] = leaving.kernel.listening[master.pid]
    leaving.kernel.answered = {PATH}
    leaving.kernel.end(master)
    leaving.web.died(leaving.master)
    assert PATH in leaving.kernel.file_ids
    leaving.kernel.end(worker)
    leaving.kernel.answered = set()
    leaving.host.wait(1)
    assert PATH not in leaving.kernel.file_ids and not leaving.holds


def test_learned_by_the_next_host(
    first: FakeHost, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same if the host was killed together with the master."""
    monkeypatch.setattr(SERVERS["unicorn"], "leaves_names", True)
    monkeypatch.setattr(SERVERS["unicorn"], "orphan_ends_by", lambda system, pid: SIGQUIT)
    kernel = first.kernel
    master = first.start(first.web)
    worker = kernel.add(ppid=master.pid, forked=True, words=["worker"], pgrp=master.pgrp)
    kernel.listening[worker.pid] = [Made(7, keep_alive=True, inode=9, path=PATH)]
    kernel.file_ids[PATH] = FILE
    kernel.end(master)
    assert killed(first, state).web.survival.find()
    assert PATH not in kernel.file_ids


def test_what_the_next_master_has_bound_stays(leaving: Site) -> None:
    """Where a master removes the name itself, a file's number may be given again at once."""
    leaving.options(hold=0)
    master = leaving.start(path=PATH)
    leaving.host.wait(1)
    del leaving.kernel.file_ids[PATH]
    leaving.crash(master)
    leaving.kernel.file_ids[PATH] = FILE
    leaving.web.held.left.remove()
    assert PATH in leaving.kernel.file_ids


def test_removed_when_it_is_not_held_any_more(leaving: Site) -> None:
    """Until then the next master is to have it."""
    leaving.crash(leaving.serve(path=PATH))
    leaving.host.wait(29)
    assert PATH in leaving.kernel.file_ids
    leaving.host.wait(2)
    assert PATH not in leaving.kernel.file_ids


def test_what_another_has_bound_stays(leaving: Site) -> None:
    """It is another file by then."""
    master = leaving.serve(path=PATH)
    leaving.web.held.stopping()
    leaving.kernel.file_ids[PATH] = (1, 3)
    leaving.crash(master)
    assert PATH in leaving.kernel.file_ids


def test_other_servers_see_to_it_themselves(site: Site) -> None:
    """A unicorn binds a name that nobody listens on."""
    site.kernel.file_ids[PATH] = FILE
    master = site.serve(path=PATH)
    site.web.held.stopping()
    site.crash(master)
    assert PATH in site.kernel.file_ids
