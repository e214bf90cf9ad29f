"""A program's sockets, held by its host: from when, for how long, and for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unicorn_handover.model.phases import Phase

from ..fake_listener import Made
from .holding import Site


def test_sockets_are_held_once_a_worker_is_ready(site: Site) -> None:
    """No sooner, and then no timer is left."""
    site.start(boots=3)
    site.host.wait(2)
    assert not site.lines and site.timers == 1
    site.host.wait(2.5)
    assert site.lines == ["web: 127.0.0.1:80 is held, so that a crash refuses nothing"]
    assert site.holds and site.timers == 0


def test_a_look_for_a_ready_worker_ends(site: Site) -> None:
    """After boot_timeout, whatever the master does; and with it."""
    master = site.start(boots=None)
    site.host.wait(12)
    assert site.timers == 0 and not site.lines
    site.start(boots=None)
    site.crash(master)
    assert site.timers == 0


def test_the_next_master_gets_them(site: Site) -> None:
    """It is told of them, and its own are held in their place once it serves."""
    site.crash(site.serve())
    given = site.web.held.give()
    assert given and given.variables([3]) == {"UNICORN_FD": "3"} and site.timers == 1
    site.start(given=given)
    site.host.wait(1)
    first, second = site.made
    assert first.closed and not second.closed and site.timers == 0
    assert len(site.lines) == 1


def test_hold_is_counted_over_all_starts(site: Site) -> None:
    """From the first death: a crash loop refuses after that, and the operator is told."""
    site.options(hold=10)
    site.crash(site.serve())
    for _ in range(3):
        given = site.web.held.give()
        assert given
        master = site.start(boots=None, given=given)
        site.kernel.listening_inodes = frozenset(master.inodes)
        site.host.wait(3)
        site.web.held.check()  # what a starting master was given, it has not yet proven to serve
        site.crash(master)
    site.host.wait(1)
    assert site.made[0].closed and site.web.held.give() is None and site.timers == 0
    assert site.lines[-1] == (
        "web: no worker was ready within hold = 10 s, so 127.0.0.1:80 is not held any more"
    )


def test_a_master_that_is_killed_when_it_is_ready_takes_nothing_away(site: Site) -> None:
    """It shows no sockets any more, and its end is not yet known: connections go on waiting."""
    site.crash(site.serve())
    given = site.web.held.give()
    assert given
    master = site.start(boots=0.5, given=given)

    def killed() -> None:
        site.kernel.listening[master.pid] = []
        master.is_ending = True

    site.kernel.later(0.5, killed)
    site.host.wait(1)
    site.crash(master)
    assert site.web.held.give() is given and not site.made[0].closed and len(site.lines) == 1
    site.host.wait(30)
    assert site.made[0].closed


def test_a_stop_lets_go_before_its_first_signal(site: Site) -> None:
    """Not when the master has ended: what connects in between would wait for nobody."""
    site.serve()
    site.web.held.stopping()
    assert not site.holds and site.web.held.give() is None


def test_a_master_that_a_driver_has_seen_serve_is_held_at_once(site: Site) -> None:
    """When it is adopted, by the numbers that the driver has found: no search, no poll."""
    site.serve()
    site.start(boots=None)
    site.web.handovers.request()
    running, new = site.web.handovers.running, site.master.id
    assert running and new and site.timers == 1
    site.web.report(running.but(phase=Phase.DRAINING, new=new, new_listening=(7,)))
    site.web.adopted(site.master)
    assert [each.closed for each in site.made] == [True, False] and site.timers == 0
    assert site.kernel.searches[-1] == (new.pid, (7,))


def test_a_master_that_is_adopted_in_a_stop_is_not_held(site: Site) -> None:
    """It is about to be ended too."""
    site.serve()
    site.web.held.stopping()
    site.start()
    site.web.adopted(site.master)
    site.host.wait(1)
    assert site.timers == 0 and site.web.held.give() is None


@pytest.mark.parametrize("act", ["let_go", "release"])
def test_all_is_closed_in_the_end(site: Site, act: str) -> None:
    """Also while connections wait: no timer is left either."""
    site.crash(site.serve())
    getattr(site.web.held if act == "let_go" else site.web, act)()
    assert not site.holds and site.timers == 0


def test_hold_0_holds_nothing(site: Site) -> None:
    """Nobody even looks."""
    site.options(hold=0)
    site.start()
    site.host.wait(1)
    assert site.timers == 0 and site.web.held.give() is None and not site.lines


def test_what_cannot_be_held_is_told_once(site: Site) -> None:
    """And once more when it was held in between."""
    site.kernel.denied = "user 0 may not copy the sockets of pid 100: seccomp"
    for _ in range(3):
        site.crash(site.start())
        site.start()
        site.host.wait(1)
    assert site.lines == [
        "web: its sockets are not held, so a crash refuses connections: "
        "user 0 may not copy the sockets of pid 100: seccomp"
    ]
    site.kernel.denied = ""
    site.crash(site.serve())
    given = site.web.held.give()
    site.kernel.denied = "no"
    site.start(given=given)
    site.host.wait(1)
    assert len(site.lines) == 3 and site.web.held.give() is None


def test_reuse_port_is_never_held(site: Site) -> None:
    """A copy would take connections that nobody accepts."""
    site.start(reuse_port=True)
    site.host.wait(1)
    assert not site.holds and "SO_REUSEPORT" in site.lines[0]


def test_the_last_descriptors_are_the_hosts(site: Site) -> None:
    """It needs them for the pipes of its programs."""
    site.start(copy=900)
    site.host.wait(1)
    assert not site.holds and "few of the host's 1024 descriptors are left" in site.lines[0]


@pytest.mark.parametrize("what", ["file", "command", "name"])
def test_a_changed_address_is_not_kept(site: Site, what: str) -> None:
    """Whether the configuration names another one, or the socket has lost its name."""
    site.kernel.file_ids["/run/web.sock"] = (1, 2)
    site.crash(site.serve(path="/run/web.sock", name="unix:/run/web.sock"))
    if what == "file":
        site.kernel.files["/u.rb"] = "listen 81\n"
    elif what == "command":
        words = ("unicorn", "-c", "/u.rb", "-l", "81")
        site.web.supervised.launch = replace(site.web.supervised.launch, command=words)  # type: ignore[misc]
    else:
        del site.kernel.file_ids["/run/web.sock"]
    assert site.web.held.give() is None and not site.holds and site.timers == 0


def test_what_was_held_before_hold_was_0(site: Site) -> None:
    """A section that says so is in force with the next master, which may listen elsewhere."""
    site.serve()
    site.options(hold=0)
    site.start()
    assert site.made[0].closed


def test_what_the_master_has_closed_is_not_held(site: Site) -> None:
    """A HUP may bring another address; the host's regular look takes that one."""
    master = site.serve()
    site.web.held.check()
    assert site.holds
    site.host.wait(5)
    new = Made(8, keep_alive=True, inode=5, name="127.0.0.1:81")
    site.kernel.listening[master.pid] = []
    master.inodes = set()
    site.web.held.check()
    assert site.holds  # a master that is about to end closes all
    site.host.wait(5)
    site.kernel.listening[master.pid] = [new]
    master.inodes, site.kernel.listening_inodes = {5}, frozenset({5})
    site.web.held.check()
    assert not site.holds and not new.closed
    assert site.lines[-1].startswith("web: 127.0.0.1:81 is held")


def test_a_master_that_ends_has_closed_its_sockets(site: Site) -> None:
    """A gunicorn whose application cannot be loaded waits for its last worker; it binds none."""
    site.crash(site.serve())
    copies = site.web.held.give()
    assert copies
    master = site.start(boots=None, given=copies)
    master.inodes = {copies.sockets[0].inode}
    site.host.wait(0.5)
    master.inodes = set()
    site.host.wait(2)
    assert not site.made[0].closed and "without the sockets" not in site.lines[-1]


def test_what_a_wrapper_takes_away_is_not_held(site: Site) -> None:
    """The master binds its own, which it cannot while the host has them."""
    site.crash(site.serve())
    assert site.web.held.give()
    site.start(boots=None)
    assert not site.made[0].closed  # it may be ending just now
    site.host.wait(0.2)
    assert site.made[0].closed and site.timers == 1
    assert "was started without the sockets" in site.lines[-1]
