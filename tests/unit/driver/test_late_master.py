"""A new master that comes when its handover was given up already."""

from __future__ import annotations

from unicorn_handover.driver.late_master import LateMaster
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import Record

from .site import Site, late_site


def test_a_new_master_that_comes_after_its_handover_was_given_up() -> None:
    """It is removed: USR2 cannot be called back, and two families must not be left."""
    site = late_site()
    site.run(4)
    old, new = site.unicorns["web"].masters
    assert old.alive and not new.alive
    assert [s for s in site.system.signals if s[1] == old.pid] == [("USR2", old.pid)]
    site.driver.close()
    assert site.system.open_handles == 0


def order_another(site: Site) -> None:
    """Restart the program again."""
    old, now = site.records["web"].old, site.system.now
    site.records["web"] = Record("web", 2, Phase.REQUESTED, old, now, now)
    site.order("web")


def test_a_new_master_that_comes_late_is_the_next_handovers() -> None:
    """A restart that was asked for again is not harmed by the one that was given up."""
    site = late_site()
    order_another(site)
    site.run(10)
    assert site.phases() == {"web": Phase.DONE}


def test_a_restart_waits_until_a_late_master_is_removed() -> None:
    """It is not refused for a second master that is about to go."""
    site = late_site()
    unicorn = site.unicorns["web"]
    unicorn.drains = 0.5
    while site.system.signals[-1][0] != "QUIT":
        site.run(0.02)
    old, late = unicorn.masters
    old.obey = lambda number: unicorn._obey(old, number)  # at once, from now on
    order_another(site)
    site.run(0.2)
    assert late.alive and site.phases() == {"web": Phase.QUEUED}
    site.run(20)
    assert site.phases() == {"web": Phase.DONE} and not late.alive and not old.alive


def test_a_master_that_is_late_for_long_is_polled_rarely() -> None:
    """Its old master may live for months, and have many children to look at."""
    site, pauses = Site("web"), []
    record = site.records["web"].but(server="unicorn")
    late = LateMaster(site.system, site.options, record)  # type: ignore[arg-type]
    for seconds in (0, 5, 600):
        site.system.advance_to(site.system.now + seconds)
        late.step()
        pauses.append(round(late.wake_at() - site.system.now, 3))
    late.close()
    assert pauses == [0.1, 0.5, 1.0]
