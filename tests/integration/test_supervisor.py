"""What only Supervisor has: its ways to stop, reload and update, its groups and its settings."""

from __future__ import annotations

import configparser
import re
import shutil
import signal
import subprocess
import time
import xmlrpc.client
from pathlib import Path

import pytest

from ..waiting import Later, wait_until
from .conftest import MakeHost
from .load import Load
from .processes import kill, living_in, look
from .programs import BEFORE_ORPHANS_END, BIN, UNICORN, Program, free_port
from .scenes import hand_over, held_request, holding_exec, reach
from .supervisor_host import DRIVER

PLAIN = "\n[program:plain]\ncommand = sleep 3600\nstartsecs = 0\n"


def test_the_exit_of_an_adopted_master_is_told_truly(
    make_supervisor: MakeHost, folder: Path, server: str
) -> None:
    """An adopted master that is killed was "terminated by SIGKILL", and autorestart follows."""
    web = Program(folder, server=server, timeout=10)
    host = make_supervisor(web)
    host.start()
    adopted = hand_over(host)
    kill(look(adopted))
    wait_until(lambda: host.master("web") not in (0, adopted), "it is started again")
    assert "exited: web (terminated by SIGKILL; not expected)" in host.host_log()
    host.wait_for_rest("web")


def test_uptime_starts_anew(make_supervisor: MakeHost, folder: Path) -> None:
    """status shows the pid and the uptime of the adopted master."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    wait_until(lambda: host.info("web")["now"] - host.info("web")["start"] >= 3, "3 s of uptime")
    began = int(time.time())
    adopted = hand_over(host)
    assert host.info("web")["start"] >= began
    line = host.ctl("status", "web").text
    uptime = re.search(rf"web +RUNNING +pid {adopted}, uptime (\d+):(\d\d):(\d\d)", line)
    assert uptime, line
    hours, minutes, seconds = map(int, uptime.groups())
    assert (hours * 60 + minutes) * 60 + seconds <= time.time() - began


@pytest.mark.parametrize("as_group", ["true", "false"])
def test_stop_as_group(make_supervisor: MakeHost, folder: Path, server: str, as_group: str) -> None:
    """stopasgroup and killasgroup reach the adopted master, which leads no group of its own."""
    web = Program(
        folder,
        server=server,
        host_options={"stopasgroup": as_group, "killasgroup": "true", "stopwaitsecs": "1"},
    )
    host = make_supervisor(web)
    host.start()
    hand_over(host)
    assert host.stop("web").ok
    host.wait_for_nobody("web")
    assert host.begin("web").ok
    wait_until(web.answers, "it serves again")
    hand_over(host, release="v3")
    kill(look(host.workers("web")[0].pid), 19)  # stopped, it obeys nothing but SIGKILL
    assert host.stop("web").ok
    host.wait_for_nobody("web")


@pytest.mark.parametrize("phase", ["adopted", "draining"])
def test_a_stop_that_takes_too_long_kills(
    make_supervisor: MakeHost, folder: Path, server: str, phase: str
) -> None:
    """After stopwaitsecs an adopted master, or both of a handover, are killed, workers and all."""
    web = Program(folder, server=server, host_options={"stopwaitsecs": "1"})
    host = make_supervisor(web)
    host.start()
    if phase == "adopted":
        hand_over(host)
        request = held_request(web)
    else:
        request = reach(host, "draining")
    assert host.stop("web").ok and host.state("web") == "stopped"
    assert re.search(r"killing 'web' \(\d+\) with SIGKILL", host.host_log())
    host.wait_for_nobody("web")
    assert request.answer().outcome != "ok"


@pytest.mark.parametrize("phase", ["adopted", "booting", "draining"])
def test_reload(make_supervisor: MakeHost, folder: Path, server: str, phase: str) -> None:
    """reload ends all masters and starts anew, also in mid-handover; the next handover works."""
    web = Program(folder, server=server)
    host = make_supervisor(web)
    host.start()
    if phase == "adopted":
        hand_over(host)
    else:
        reach(host, phase)
    before = {found.pid for found in host.masters("web")}
    assert host.ctl("reload").ok
    web.open_gate()
    wait_until(lambda: host.master("web") not in before | {0}, "it is started anew")
    wait_until(host.driver_is_there, "the driver is there")
    host.wait_for_rest("web")
    assert not before & {found.pid for found in host.masters("web")}
    hand_over(host, release="v3")


@pytest.mark.parametrize("phase", ["adopted", "booting"])
def test_update_that_removes_or_changes(
    make_supervisor: MakeHost, folder: Path, phase: str
) -> None:
    """update ends what it removes or changes, nothing is left, and what it adds is managed."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    if phase == "adopted":
        hand_over(host)
    else:
        reach(host, phase)
    before = {found.pid for found in host.masters("web")}
    web.host_options["environment"] = 'CHANGED="1"'
    host.write_conf()
    with Later(lambda: host.ctl("update")) as update:
        web.open_gate()
    assert "web: updated process group" in update.result().text
    host.wait_for_rest("web")
    assert not before & {found.pid for found in host.masters("web")}
    hand_over(host, release="v3")
    host.programs = {}
    host.options["programs"] = "web"
    host.write_conf()
    assert "web: removed process group" in host.ctl("update").text
    wait_until(lambda: not living_in(web.folder), "nothing is left", BEFORE_ORPHANS_END)


def test_several_programs(make_supervisor: MakeHost, folder: Path) -> None:
    """With names or `all`, running managed programs are handed over, others stopped and started."""
    web, api = Program(folder), Program(folder, "api", server="gunicorn")
    host = make_supervisor(web, api)
    host.more = PLAIN
    host.start()
    masters = {name: host.master(name) for name in ("web", "api")}
    plain = host.master("plain")
    with Load(web.address) as web_load, Load(api.address) as api_load:
        outcome = host.restart("web", "plain", "api")
        assert outcome.ok, outcome.text
        for name in ("web", "api"):
            assert re.search(rf"^{name}: started \(pid {masters[name]} -> \d+", outcome.text, re.M)
        assert "plain: stopped\nplain: started" in outcome.text
        assert host.master("plain") != plain
        host.wait_for_rest("web")
        host.wait_for_rest("api")
        plain = host.master("plain")
        outcome = host.restart("all")
        assert outcome.ok, outcome.text
        assert host.master("plain") != plain
        assert host.wait_for_rest("web") != masters["web"]
        assert len(host.ended("web")) == len(host.ended("api")) == 2
    assert web_load.failures == api_load.failures == []


def test_a_group(make_supervisor: MakeHost, folder: Path) -> None:
    """A program in a group is known as GROUP:NAME, and `GROUP:*` means all of the group."""
    web, api = Program(folder), Program(folder, "api")
    host = make_supervisor(web, api)
    host.more = PLAIN + "\n[group:site]\nprograms = web,api,plain\n"
    host.launch()
    wait_until(web.answers, "web answers")
    wait_until(api.answers, "api answers")
    masters = {name: host.master(f"site:{name}") for name in ("web", "api", "plain")}
    outcome = host.restart("site:*")
    assert outcome.ok, outcome.text
    for name in ("web", "api"):
        assert re.search(rf"site:{name}: started \(pid {masters[name]} ->", outcome.text)
    assert "plain: started" in outcome.text and host.master("site:plain") != masters["plain"]
    adopted = host.master("site:web")
    outcome = host.restart("site:web")
    assert outcome.ok and f"site:web: started (pid {adopted} ->" in outcome.text


def test_stock_restart_of_what_does_not_run(make_supervisor: MakeHost, folder: Path) -> None:
    """A managed program that is stopped, or has died, gets Supervisor's own restart."""
    web = Program(folder, host_options={"autorestart": "false"})
    host = make_supervisor(web)
    host.start()
    assert host.stop("web").ok
    outcome = host.restart("web")
    assert outcome.text == "web: ERROR (not running)\nweb: started\n", outcome.text
    master = host.wait_for_rest("web")
    kill(look(master))
    wait_until(lambda: host.state("web") == "exited", "it has died")
    outcome = host.restart("web")
    assert outcome.text == "web: ERROR (not running)\nweb: started\n", outcome.text
    host.wait_for_rest("web")
    hand_over(host)


def test_stop_and_start_keep_their_meaning(make_supervisor: MakeHost, folder: Path) -> None:
    """stopProcess and startProcess over XML-RPC are no handover."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    master = host.master("web")
    assert host.rpc.supervisor.stopProcess("web") and host.family("web") == []
    assert host.rpc.supervisor.startProcess("web") and host.master("web") != master
    host.wait_for_rest("web")
    assert host.ended("web") == []


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


@pytest.mark.parametrize("limit", ["0", "1"])
def test_max_handovers(make_supervisor: MakeHost, folder: Path, limit: str) -> None:
    """Programs do not wait for each other, unless the operator limits how many may run at once."""
    web, api = Program(folder), Program(folder, "api", server="gunicorn")
    host = make_supervisor(web, api, options={"max_handovers": limit})
    host.start()
    reach(host, "booting", "web")
    api.write("v2")
    outcome = host.restart("api", wait=False)
    assert outcome.ok
    if limit == "1":
        host.wait_for_phase("api", "queued")
        web.open_gate()
    host.wait_for_rest("api")
    assert api.answers("v2") and (limit == "1" or host.phase("web") == "booting")
    web.open_gate()
    host.wait_for_rest("web")
    assert web.answers("v2")


BAD_OPTIONS = {
    "sock": "5",
    "boot_timeout": "soon",
    "api.soak": "-1",
    "web.drain_timeout": "1e9",
    "other.soak": "3",
    "server": "nginx",
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
    assert re.search(r"WARN .*\[program:plain\] numprocs: plain_0, plain_1", host.host_log())


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


def echo_conf(*names: str) -> str:
    """What `supervisor_unicorn --echo-conf` prints."""
    return subprocess.run(
        [f"{BIN}/supervisor_unicorn", "--echo-conf", *names],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def test_echo_conf_can_be_pasted() -> None:
    """--echo-conf prints three sections that a configuration takes as they are."""
    text = echo_conf("web", "api")
    parsed = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parsed.read_string(text)
    assert parsed.sections() == [
        "rpcinterface:unicorn",
        "eventlistener:unicorn_handover",
        "ctlplugin:unicorn",
    ]
    assert "\nprograms = web api\n" in text
    assert parsed["eventlistener:unicorn_handover"]["command"] == f"{BIN}/supervisor_unicorn"
    assert dict(parsed["rpcinterface:unicorn"]) == {
        "supervisor.rpcinterface_factory": "supervisor_unicorn:make_rpcinterface",
        "programs": "web api",
    }


def test_the_driver_started_by_hand_says_what_it_is_for() -> None:
    """Without supervisord the driver ends with status 2 and one line."""
    done = subprocess.run(
        [f"{BIN}/supervisor_unicorn"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 2 and "--echo-conf" in done.stderr and done.stderr.count("\n") == 1


def test_sections_that_only_an_update_has_brought(make_supervisor: MakeHost, folder: Path) -> None:
    """No restart of a listed program is a plain one, and what to do is told; a reload does it."""
    web = Program(folder)
    host = make_supervisor(web)
    host.write_conf()
    conf, included = host.conf.read_text(), folder / "unicorn.conf"
    start, end = conf.index("[rpcinterface:unicorn]"), conf.index("[ctlplugin:unicorn]")
    host.write_conf = lambda: None
    host.conf.write_text(f"{conf[:start]}{conf[end:]}\n[include]\nfiles = *.conf.d unicorn.conf\n")
    host.listener, listener = "", host.listener
    host.launch()
    wait_until(web.answers, "it serves")
    first = host.master("web")
    outcome = host.restart("web")  # no file of ours lists it yet
    assert outcome.text == "web: stopped\nweb: started\n" and host.master("web") != first
    wait_until(web.answers, "it serves")
    included.write_text(conf[start:end])
    assert "unicorn_handover: added process group" in host.ctl("update").text
    first = host.master("web")
    outcome = host.restart("web")
    why = f"web: ERROR ([rpcinterface:unicorn] in {included}:1 lists it, and supervisord has not"
    assert not outcome.ok and outcome.text.startswith(why) and host.master("web") == first
    host.listener = listener
    assert host.ctl("reload").ok
    wait_until(lambda: host.master("web") not in (0, first), "it is started anew")
    wait_until(host.driver_is_there, "the driver is there")
    host.wait_for_rest("web")
    hand_over(host)


def test_sections_that_supervisorctl_does_not_read(make_supervisor: MakeHost, folder: Path) -> None:
    """With all of them in an included file supervisord says so when it starts, and runs on."""
    host = make_supervisor(Program(folder))
    host.write_conf()
    conf = host.conf.read_text()
    start, end = conf.index("[rpcinterface:unicorn]"), conf.index("[program:web]")
    host.write_conf = lambda: None
    (folder / "unicorn.conf").write_text(conf[start:end])
    host.conf.write_text(f"{conf[:start]}[include]\nfiles = unicorn.conf\n{conf[end:]}")
    host.start()
    line = f"[ctlplugin:unicorn] is not in the main file {host.conf}, and supervisorctl reads no"
    for text in (host.host_log(), host.output()):
        assert line in text and f"; move it there from {folder}/unicorn.conf:" in text
    hand = (folder / "unicorn.conf").read_text().partition("[ctlplugin:unicorn]")
    host.conf.write_text(host.conf.read_text() + hand[1] + hand[2])
    hand_over(host)  # at once


def test_a_program_called_unicorn(make_supervisor: MakeHost, folder: Path) -> None:
    """With the sections as --echo-conf prints them it runs beside the driver."""
    web = Program(folder, "unicorn")
    host = make_supervisor(web)
    host.write_conf()
    conf = host.conf.read_text()
    start, end = conf.index("[rpcinterface:unicorn]"), conf.index("[program:unicorn]")
    host.write_conf = lambda: None
    host.conf.write_text(conf[:start] + echo_conf("unicorn") + conf[end:])
    host.start()
    hand_over(host, "unicorn")
    assert host.driver() not in (0, host.master("unicorn"))


REFUSALS = {
    "directory": r"directory: .*web is not there",
    "cwd": r"working directory of pid \d+, .*cwd.* is gone",
    "script": r"script of pid \d+, .*/unicorn, is gone|command: can't find command",
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_missing_is_found_before_the_first_signal(
    make_supervisor: MakeHost, folder: Path, what: str
) -> None:
    """A directory or script that a re-exec needs and that is gone refuses it; nothing is lost."""
    script, cwd = folder / "bin" / "unicorn", folder / "cwd"
    script.parent.mkdir()
    shutil.copy(UNICORN, script)
    cwd.mkdir()
    web = Program(folder)
    web.command = f"{script} -E none -c {web.conf} {web.folder}/config.ru"
    if what == "cwd":
        web.command = f"/bin/sh -c 'cd {cwd}; exec {web.command}'"
    host = make_supervisor(web)
    host.start()
    gone = {"directory": web.folder, "cwd": cwd, "script": script}[what]
    moved = gone.with_name("moved")
    if what == "cwd":
        gone.rmdir()
    else:
        gone.rename(moved)
    with Load(web.address) as load:
        outcome = host.restart("web")
        assert not outcome.ok and re.search(REFUSALS[what], outcome.text), outcome.text
        assert host.phase("web") == "idle" and web.ask().release == "v1"
        if what != "cwd":
            moved.rename(gone)
            hand_over(host)
    assert load.failures == []


def test_a_script_that_cannot_be_seen_to_be_missing(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """A re-exec that fails for want of the script is told at once; the old master serves on."""
    script = folder / "unicorn"
    shutil.copy(UNICORN, script)
    web = Program(folder)
    web.command = f"/bin/sh -c 'exec ruby {script} -E none -c {web.conf} {web.folder}/config.ru'"
    host = make_supervisor(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        script.unlink()
        outcome = host.restart("web")
        assert not outcome.ok and "could not re-execute itself" in outcome.text, outcome.text
        assert host.wait_for_rest("web") == first
        wait_until(lambda: web.pid_in_file() == first, "the pid file names the old master")
        shutil.copy(UNICORN, script)
        hand_over(host)
    assert load.failures == []


def test_other_listeners_hear_of_handovers(make_supervisor: MakeHost, folder: Path) -> None:
    """Any event listener may subscribe to UNICORN_HANDOVER, and is sent every phase."""
    script = folder / "listener.py"
    script.write_text(LISTENER)
    web = Program(folder)
    host = make_supervisor(web)
    host.more = (
        f"\n[eventlistener:ear]\ncommand = {BIN}/python {script} {folder}/heard\n"
        "events = UNICORN_HANDOVER\nbuffer_size = 100\n"
    )
    host.start()
    wait_until(lambda: host.state("ear") == "running", "the listener is there")
    old = host.master("web")
    new = hand_over(host)
    heard = folder / "heard"
    wait_until(lambda: "phase:done" in heard.read_text(), "the end is heard")
    lines = heard.read_text().splitlines()
    phases = list(dict.fromkeys(re.findall(r"phase:(\S+)", "\n".join(lines))))
    assert phases == ["requested", "checking", "re-executing", "booting", "draining", "done"]
    assert lines[-1].startswith(
        f"processname:web groupname:web number:1 phase:done old_pid:{old} new_pid:{new}"
    )


LISTENER = """\
import sys
with open(sys.argv[1], "a") as heard:
    while True:
        print("READY", flush=True)
        header = dict(word.split(":") for word in sys.stdin.readline().split())
        heard.write(sys.stdin.read(int(header["len"])).splitlines()[0] + "\\n")
        heard.flush()
        print("RESULT 2\\nOK", end="", flush=True)
"""


def test_a_late_exec_makes_no_second_family(make_supervisor: MakeHost, folder: Path) -> None:
    """A child that execs long after its master was killed is ended, however often web crashed."""
    web = holding_exec(Program(folder, restarted=True))
    host = make_supervisor(web)
    host.start()
    old = look(host.master("web"))
    host.restart("web", wait=False)
    host.wait_for_phase("web", "re-executing")
    wait_until(lambda: len(host.family("web")) > web.workers + 1, "it has forked a child")
    kill(old)
    # The child holds the listener, so what supervisord starts in the old one's place ends again.
    wait_until(lambda: host.host_log().count("exited: web") >= 3, "it has crashed again")
    web.exec_gate.touch()
    host.wait_for_rest("web")
    assert web.answers("v1")


def test_logs_go_on_after_a_failure_that_is_seen_late(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """Output and the driver's word read in one turn of supervisord's loop close no log."""
    web = Program(folder)
    host = make_supervisor(web)
    host.start()
    supervisord = look(host.pid())
    reach(host, "booting")
    new = host.new_master("web")
    kill(supervisord, signal.SIGSTOP)
    kill(new)
    wait_until(lambda: not Path(f"/proc/{new.pid}").exists(), "the old master has reaped it")
    kill(supervisord, signal.SIGCONT)
    host.wait_for_rest("web")
    assert web.ask("/print/still-here").outcome == "ok"
    wait_until(lambda: "err-still-here" in host.log("web"), "it was logged")


def test_a_failed_exec_is_not_repeated(make_supervisor: MakeHost, folder: Path) -> None:
    """gunicorn's failed child takes the old workers along, so there must be only one of them."""
    web = Program(folder, server="gunicorn")
    web.settings += "\ndef pre_exec(server):\n    raise RuntimeError('not today')\n"
    web.settings += "graceful_timeout = 1\n"
    web.write("v1")
    host = make_supervisor(web)
    host.start()
    first = host.master("web")
    outcome = host.restart("web")
    assert not outcome.ok and "could not re-execute itself" in outcome.text
    assert host.wait_for_rest("web") == first and web.answers("v1")
    assert host.log("web").count("RuntimeError: not today") == 1
