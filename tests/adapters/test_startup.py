"""What supervisord tells at start of programs and sections that it takes without a word."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from supervisor.xmlrpc import Faults, RPCError

from supervisor_unicorn import make_rpcinterface
from supervisor_unicorn.driver import DriverSubprocess
from supervisor_unicorn.process import ManagedSubprocess
from supervisor_unicorn.web import RestartHandler, _Restarts

from .conftest import Site

MakeSite = Callable[..., Site]

FAST = """
[fcgi-program:fast]
command = {python} -c "import time; time.sleep(600)"
socket = unix://{folder}/fast.sock
"""
LISTENER = "\n[eventlistener:web]\ncommand = sleep 600\nevents = UNICORN_DRIVER\n"


def fault(site: Site, name: str, **config: str) -> RPCError:
    """What a restart of a program is refused with."""
    state = f"{site.folder}/state"
    interface = make_rpcinterface(site.supervisord, programs=f"web {name}", state=state, **config)
    for call in (interface.restart, interface.request, interface.status):
        with pytest.raises(RPCError) as caught:
            call(name)
    return caught.value


def test_a_fastcgi_program(
    make_site: MakeSite, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is told what it is, at start and at a restart; it is not said to be missing."""
    site = make_site(FAST.format(python=sys.executable, folder=tmp_path))
    error = fault(site, "fast")
    assert error.code == Faults.FAILED and "[fcgi-program:fast] cannot be handed" in error.text
    for text in (site.log, capfd.readouterr().err):
        assert text.count("[fcgi-program:fast] cannot be handed over") == 1
        assert "there is no [program:" not in text
    assert isinstance(site.web, ManagedSubprocess)


def test_a_fastcgi_program_s_restart_button(make_site: MakeSite, tmp_path: Path) -> None:
    """The web page refuses it with the same reason, and leaves all else to Supervisor."""
    site = make_site(FAST.format(python=sys.executable, folder=tmp_path))
    host = site.manage(programs="web fast")
    handler = RestartHandler(site.supervisord, host)
    fast = site.supervisord.process_groups["fast"].processes["fast"]
    press = {"action": "restart", "processname": "fast"}
    assert handler._meant(press) == []  # it does not run
    site.turn_until(lambda: fast.pid, "it runs")
    assert handler._meant(press) == [fast]
    location = _Restarts(None, host, [fast])()["headers"]["Location"]
    assert "ERROR: Process fast: [fcgi-program:fast] cannot be handed over" in unquote(location)
    assert handler._meant({"action": "restart", "processname": "plain"}) == []
    fast.after_finish()  # gives the socket back while there is a log


def test_a_listener_with_the_name_of_a_program(
    make_site: MakeSite, capfd: pytest.CaptureFixture[str]
) -> None:
    """supervisord starts only one of the two: told at start, with the name to give it."""
    site = make_site(LISTENER)
    error = fault(site, "web")
    line = "[eventlistener:web] has the name of a program"
    assert error.code == Faults.FAILED and line in error.text
    for text in (site.log, capfd.readouterr().err):
        assert line in text and "rename it to [eventlistener:unicorn_handover]" in text


def test_two_groups_of_one_name(make_site: MakeSite) -> None:
    """Of two groups that have a listed program's name supervisord starts one, and says nothing."""
    site = make_site("\n[program:api]\ncommand = cat\n[group:web]\nprograms = api\n")
    site.manage()
    assert "2 groups of programs have the name web" in site.log


def test_a_listener_of_any_name_is_the_driver(make_site: MakeSite) -> None:
    """A section that an older --echo-conf printed goes on working."""
    site = make_site(LISTENER.replace(":web", ":unicorn"))
    site.manage()
    process = site.supervisord.process_groups["unicorn"].processes["unicorn"]
    assert type(process) is DriverSubprocess and "same name" not in site.log


def test_an_interface_of_another_name(make_site: MakeSite) -> None:
    """supervisorctl asks for `unicorn`, so the programs of any other section are told of."""
    site = make_site()
    site.options.rpcinterface_factories = [("unicorn2", make_rpcinterface, {})]
    site.manage()
    assert "[rpcinterface:unicorn2] is not asked by supervisorctl" in site.log


def test_an_event_listener_on_the_list(make_site: MakeSite) -> None:
    """It is no server, and a restart of it says so."""
    site = make_site("\n[eventlistener:ear]\ncommand = cat\nevents = TICK_5\n")
    assert "[eventlistener:ear] is an event listener" in fault(site, "ear").text


def test_a_host_where_nothing_can_be_handed_over(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listed program's restart is refused with the reason, never silently a plain one."""
    monkeypatch.delattr("os.pidfd_open")
    assert "no restart can be a handover" in fault(make_site(), "plain").text
