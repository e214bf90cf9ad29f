"""The names of unix sockets that a server leaves at its end, and would not start on."""

from __future__ import annotations

import pytest

from unicorn_handover.servers import SERVERS

from .holding import Site

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
