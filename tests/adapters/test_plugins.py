"""How Supervisor's own machinery sees the plugin: its RPC methods, its controller, its events."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from supervisor import events
from supervisor.process import Subprocess
from supervisor.xmlrpc import SystemNamespaceRPCInterface

from supervisor_unicorn import make_rpcinterface
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

from .conftest import Site

MakeSite = Callable[..., Site]

NAMES = ("leave", "outcome", "promote", "request", "restart", "rollback", "status", "update")
METHODS = [f"unicorn.{name}" for name in NAMES]


def test_the_methods_that_clients_may_call(make_site: MakeSite) -> None:
    """They are few, and Supervisor can list, describe and type each of them."""
    site = make_site()
    interface = make_rpcinterface(site.supervisord, programs="web", state=f"{site.folder}/state")
    system = SystemNamespaceRPCInterface([("unicorn", interface)])
    methods = [name for name in system.listMethods() if name.startswith("unicorn.")]
    assert sorted(methods) == METHODS
    for name in METHODS:
        assert system.methodHelp(name).strip()
        assert system.methodSignature(name)[0] in ("boolean", "int", "struct")


def test_each_http_server_gets_the_same_host(make_site: MakeSite) -> None:
    """The factory is called once for each of supervisord's HTTP servers, and takes over once."""
    site = make_site()
    make_rpcinterface(site.supervisord, programs="web", state=f"{site.folder}/state")
    web, callbacks = site.web, len(events.callbacks)
    make_rpcinterface(site.supervisord, programs="web", state=f"{site.folder}/state")
    assert site.web is web and len(events.callbacks) == callbacks


def test_a_running_process_is_not_replaced(make_site: MakeSite) -> None:
    """What was started before the plugin was loaded stays what it is."""
    site = make_site()
    site.turn_until(lambda: site.web.pid, "web runs")
    before = site.web
    site.manage()
    assert site.web is before


def test_errors_at_start(make_site: MakeSite, capfd: pytest.CaptureFixture[str]) -> None:
    """Bad options are told in the log and on standard error, and raise nothing."""
    site = make_site()
    site.manage(programs="web nosuch", soak="x")
    for text in (site.log, capfd.readouterr().err):
        assert "[rpcinterface:unicorn] soak: must be a number of seconds" in text
        assert "[rpcinterface:unicorn] programs: there is no [program:nosuch]" in text


def test_a_python_without_pidfds(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in one line, and all is Supervisor's own."""
    monkeypatch.delattr(os, "pidfd_open")
    site = make_site()
    site.manage()
    assert type(site.web) is Subprocess and "without pidfd_open; use one" in site.log


def test_handover_events_have_supervisor_s_form(make_site: MakeSite) -> None:
    """The payload is key:value words, then the reason, and no control characters."""
    site = make_site()
    host = site.manage()
    heard: list[str] = []
    events.subscribe(
        events.EventTypes.UNICORN_HANDOVER, lambda event: heard.append(event.payload())
    )
    record = Record("web", 4, Phase.FAILED, MasterId(10, 1), 1.0, 2.0, reason="why\x1b\n")
    host.changed(record.but(new=MasterId(20, 2)), True)
    words = "processname:web groupname:web number:4 phase:failed old_pid:10 new_pid:20"
    assert heard == [f"{words}\nwhy\\x1b\\n"]
