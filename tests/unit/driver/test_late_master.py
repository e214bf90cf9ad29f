"""A new master that comes when its handover was given up already."""

from __future__ import annotations

from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import Record

from .site import late_site


def test_a_new_master_that_comes_after_its_handover_was_given_up() -> None:
    """It is removed: USR2 cannot be called back, and two families must not be left."""
    site = late_site()
    site.run(4)
    old, new = site.unicorns["web"].masters
    assert old.alive and not new.alive
    assert [s for s in site.system.signals if s[1] == old.pid] == [("USR2", old.pid)]
    site.driver.close()
    assert site.system.open_handles == 0


def test_a_new_master_that_comes_late_is_the_next_handovers() -> None:
    """A restart that was asked for again is not harmed by the one that was given up."""
    site = late_site()
    record = site.records["web"]
    now = site.system.now
    site.records["web"] = Record("web", 2, Phase.REQUESTED, record.old, now, now)
    site.order("web")
    site.run(10)
    assert site.phases() == {"web": Phase.DONE}
