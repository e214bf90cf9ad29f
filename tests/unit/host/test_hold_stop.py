"""A program's sockets, held by its host while it is stopped: `hold_stop`."""

from __future__ import annotations

from dataclasses import replace

from ..fake_listener import Made
from .holding import Site


def test_hold_stop_is_for_a_stop_and_a_start(site: Site) -> None:
    """Counted from the end of the master; a start takes them, else they are closed."""
    site.options(hold_stop=5)
    for starts in (True, False):
        master = site.serve()
        site.web.held.stopping()
        site.host.wait(20)
        assert site.holds and site.timers == 0
        site.crash(master)
        site.host.wait(4)
        assert site.holds
        if starts:
            assert site.web.held.give()
        site.web.held.let_go() if starts else site.host.wait(2)
        assert not site.holds and site.timers == 0


def test_hold_stop_ends_with_the_host(site: Site) -> None:
    """A shutdown waits for other programs, and nobody starts this one."""
    site.options(hold_stop=5)
    site.serve()
    site.web.held.stopping(for_good=True)
    assert not site.holds


def test_a_stop_of_what_has_crashed_counts_anew(site: Site) -> None:
    """From the stop on it is hold_stop that counts, and a second stop changes nothing."""
    site.options(hold_stop=5)
    site.crash(site.serve())
    for _ in range(2):
        site.web.held.stopping()
        site.host.wait(3)
    assert not site.holds and site.timers == 0


def test_a_unix_sockets_name_is_kept_while_a_gunicorn_stops(site: Site) -> None:
    """It unlinks it, first of all; a unicorn does not.

    So does one that is started after that, and ends because it cannot load its application.
    """
    site.options(hold_stop=5)
    site.serve(path="/run/web.sock")
    site.web.held.stopping()
    assert site.kernel.names is None
    site.web.held.let_go()
    site.web.options = replace(site.web.options, server="gunicorn")
    master = site.unicorn.start()
    site.kernel.listening[master.pid] = [Made(5, "/run/web.sock", close_on_exec=False, copy=21)]
    for child in site.unicorn.workers(master):
        child.heartbeats = master.heartbeats = {3: (2000.0, 0)}
    site.web.held.give()
    site.master = site.web.hold(master.pid, lambda: None)
    site.host.wait(1)
    site.web.held.stopping()
    names = site.kernel.names
    assert names and names.kept == {"/run/web.sock"}
    site.kernel.unlinked.add("/run/web.sock")
    site.crash(master)
    assert not site.kernel.unlinked and not names.kept and names.left is False
    assert site.web.held.give()
    names = site.kernel.names
    assert names and names.kept == {"/run/web.sock"}
    site.web.held.let_go()
    assert not names.kept


def test_a_host_that_ends_holds_nothing_of_what_it_has_stopped(site: Site) -> None:
    """Supervisor's reload goes on in the same process."""
    site.options(hold_stop=5)
    master = site.serve()
    site.web.held.stopping()
    site.crash(master)
    assert not site.made[0].closed
    site.host.ends()
    assert site.made[0].closed and site.timers == 0
