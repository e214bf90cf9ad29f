"""What Supervisor's configuration may say of a program, and what is told of mistakes."""

from __future__ import annotations

import re
import xmlrpc.client
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.processes import look
from ...kit.programs import Program, free_port
from ...kit.supervisor_host import DRIVER
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import hand_over
from .shared import PLAIN


def test_xml_rpc_takes_only_managed_names(make_supervisor: MakeHost, folder: Path) -> None:
    """Nothing but the name of a managed program is accepted, and of a running one for restart."""
    web = Program(folder)
    host = make_supervisor(web)
    host.more = PLAIN
    host.start()
    for name in ("plain", DRIVER, "nosuch", "", "web:*", "x:y:z", "all", "we\nb"):
        for method in (host.rpc.unicorn.status, host.rpc.unicorn.restart):
            with pytest.raises(xmlrpc.client.Fault, match="BAD_NAME"):
                method(name)
    for wrong in (["web"], {"a": 1}, 7, True):
        with pytest.raises(xmlrpc.client.Fault):
            host.rpc.unicorn.restart(wrong)
    host.stop("web")
    with pytest.raises(xmlrpc.client.Fault, match="NOT_RUNNING"):
        host.rpc.unicorn.restart("web", True)
    assert host.begin("web").ok
    host.wait_for_rest("web")
    web.write("v2")
    assert host.rpc.unicorn.restart("web", True) is True and web.answers("v2")


BAD_OPTIONS = {
    "sock": "5",
    "boot_timeout": "soon",
    "api.soak": "-1",
    "web.drain_timeout": "1e9",
    "other.soak": "3",
    "server": "puma",
    "check": "ftp://x",
    "max_handovers": "many",
    "pidfile": "run/web.pid",
}


def test_bad_options(make_supervisor: MakeHost, folder: Path) -> None:
    """Each bad option gets one line with section, key and fix; supervisord and the rest go on."""
    web, api = Program(folder), Program(folder, "api")
    host = make_supervisor(web, api, options={**BAD_OPTIONS, "programs": "web api nosuch"})
    host.more = PLAIN
    host.start()
    first = host.master("web")
    for key in [*BAD_OPTIONS, "programs"]:
        for text in (host.host_log(), host.output()):
            lines = [x for x in text.splitlines() if f"[rpcinterface:unicorn] {key}: " in x]
            assert lines and "; " in lines[0], (key, text)
    outcome = host.restart("web")
    assert not outcome.ok and "web: ERROR ([rpcinterface:unicorn]" in outcome.text
    assert host.master("web") == first and web.answers("v1")
    assert "plain: started" in host.restart("plain").text


def test_a_shared_pid_file_is_refused(make_supervisor: MakeHost, folder: Path) -> None:
    """Two programs that share a pid file are not handed over; a third one is."""
    web, api, third = Program(folder), Program(folder, "api"), Program(folder, "third")
    options = {"web.pidfile": "/run/x.pid", "api.pidfile": "/run/x.pid"}
    host = make_supervisor(web, api, third, options=options)
    host.start()
    for name in ("web", "api"):
        outcome = host.restart(name)
        assert not outcome.ok and "pidfile: web and api share /run/x.pid" in outcome.text
    hand_over(host, "third")


def test_without_the_event_listener(make_supervisor: MakeHost, folder: Path) -> None:
    """Without the event listener the log says so at start, and restart refuses."""
    web = Program(folder)
    host = make_supervisor(web)
    host.listener = ""
    host.start()
    assert "[eventlistener:unicorn_handover] is missing" in host.output()
    outcome = host.restart("web")
    assert not outcome.ok and "[eventlistener:unicorn_handover]" in outcome.text
    assert web.answers()


def test_warnings_at_start(make_supervisor: MakeHost, folder: Path) -> None:
    """A stop signal that cuts requests, and copies on one address, are warned of at start."""
    web = Program(folder, host_options={"stopsignal": "TERM"})
    api = Program(folder, "api", server="gunicorn", host_options={"stopsignal": "QUIT"})
    host = make_supervisor(web, api)
    host.more = PLAIN + "numprocs = 2\nprocess_name = plain_%(process_num)d\n"
    host.options["programs"] = "web api plain"
    host.start()
    for name, good in (("web", "QUIT"), ("api", "TERM")):
        line = rf"WARN .*\[program:{name}\] stopsignal: .*set stopsignal = {good}"
        wait_until(lambda x=line: re.search(x, host.host_log()), f"{name} is warned of")
    assert re.search(
        r"WARN .*plain:plain_0, plain:plain_1 run one and the same command", host.host_log()
    )


def test_daemonised_with_two_servers_and_a_password(
    make_supervisor: MakeHost, folder: Path, server: str
) -> None:
    """In the background, with both HTTP servers and a password, all is as in the foreground."""
    web = Program(folder, server=server)
    host = make_supervisor(web)
    host.daemon = True
    host.credentials = "username = me\npassword = 123"
    host.http = f"[inet_http_server]\nport = 127.0.0.1:{free_port()}\n{host.credentials}"
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []
    assert look(host.master("web")).ppid == host.pid()
