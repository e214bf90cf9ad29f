"""A master that took over, by whatever way, is the host's as if the host had started it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from ..waiting import Later, wait_until
from .conftest import PAIRS, MakeHost
from .load import Load
from .processes import MARK, Found, end, kill, look
from .programs import UNICORN, Program
from .scenes import (
    hand_over,
    held_request,
    holding_exec,
    re_execute_by_hand,
    reach,
    without_regular_looks,
)

WAYS = ["stop", "shutdown"]

# As many apps have it: the first new worker ends the old master.
QUIT_OLDBIN = """\
before_fork do |server, worker|
  old = "#{server.config[:pid]}.oldbin"
  if File.exist?(old) && server.pid != old
    begin
      Process.kill(:QUIT, File.read(old).to_i)
    rescue Errno::ENOENT, Errno::ESRCH
    end
  end
end
"""


def test_usr2_by_hand_is_followed(make_host: MakeHost, folder: Path, server: str) -> None:
    """USR2, then the graceful signal, both by hand: the host goes over to the new master."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    old = host.master("web")
    web.write("v2")
    with Load(web.address) as load:
        new = re_execute_by_hand(host)
        assert host.master("web") == old and host.state("web") == "running"
        kill(look(old), getattr(signal, f"SIG{web.stopsignal}"))
        wait_until(lambda: host.master("web") == new, "the new master is adopted")
        assert host.wait_for_rest("web") == new
        last = hand_over(host, release="v3")
    assert last not in (old, new) and load.failures == []


def test_a_restart_beside_a_usr2_by_hand_is_refused(make_host: MakeHost, folder: Path) -> None:
    """While two masters run because of a USR2 by hand, restart refuses and names both."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    old = host.master("web")
    new = re_execute_by_hand(host)
    outcome = host.restart("web")
    assert not outcome.ok and f"pid {old} already has a new master, pid {new}" in outcome.text
    kill(look(new), signal.SIGQUIT)
    assert host.wait_for_rest("web") == old
    hand_over(host)


@PAIRS
def test_a_restart_out_of_a_crash_loop(make_host: MakeHost, folder: Path, server: str) -> None:
    """A release whose workers, or whose master, die again and again is left by a restart."""
    web = Program(folder, server=server, restarted=True)
    web.write("v1", "raises")
    host = make_host(web)
    host.launch()
    wait_until(lambda: "v1 is broken" in host.log("web"), "the release breaks")
    web.write("v2")
    wait_until(lambda: host.restart("web").ok, "a restart is taken")
    wait_until(lambda: web.answers("v2"), "the good release serves")
    host.wait_for_rest("web")


@PAIRS
@pytest.mark.parametrize("preload", [False, True], ids=["lazy", "preload"])
def test_a_restart_while_the_first_master_starts(
    make_host: MakeHost, folder: Path, server: str, preload: bool
) -> None:
    """It waits until the master obeys signals, which it would die of, or obey who knows when."""
    web = Program(folder, server=server, preload=preload)
    web.write("v1", "gated")
    host = make_host(web)
    host.launch()
    wait_until(lambda: host.state("web") == "running", "it counts as running")
    with Later(lambda: host.restart("web")) as restart:
        wait_until(lambda: host.phase("web") != "idle", "the handover has begun")
        wait_until(lambda: web.began_to_load("v1"), "it loads")
        web.open_gate()
    assert restart.result().ok, restart.result().text
    host.wait_for_rest("web")
    assert [end["phase"] for end in host.ended("web")] == ["done"]


@pytest.mark.parametrize("preload", [False, True], ids=["lazy", "preload"])
def test_an_app_that_ends_the_old_master(make_host: MakeHost, folder: Path, preload: bool) -> None:
    """An app that QUITs `.oldbin` before it forks makes a handover that succeeds."""
    web = Program(folder, preload=preload, settings=QUIT_OLDBIN)
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


@PAIRS
def test_the_old_master_is_killed_while_the_new_boots(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """If the old master is killed, the new one is adopted at once and the caller hears success."""
    # A gunicorn with a pid file ends itself if it looks at its killed master in the milliseconds
    # before the host has reaped that.
    unicorn = server == "unicorn"
    web = Program(folder, server=server, preload=unicorn, timeout=10, pidfile=unicorn)
    host = make_host(web)
    without_regular_looks(host)
    host.start()
    old = host.master("web")
    web.write("v2", "gated")
    assert host.restart("web", wait=False).ok
    host.wait_for_phase("web", "booting")
    kill(look(old))
    wait_until(lambda: host.master("web") != old, "the new master is adopted")
    assert host.state("web") == "running"
    web.open_gate()
    host.wait_for_rest("web")
    assert host.ended("web")[-1]["phase"] == "done" and web.answers("v2")


def test_signals_reach_an_adopted_master(make_host: MakeHost, folder: Path) -> None:
    """HUP, USR1, TTIN, TTOU and WINCH do on the new master what they did on the first."""
    web = Program(folder)
    host = make_host(web)
    host.start()
    master = hand_over(host)
    for number, workers in (("TTIN", 3), ("TTOU", 2), ("WINCH", 0)):
        assert host.signal("web", number).ok
        wait_until(lambda n=workers: len(host.workers("web")) == n, f"{number}: {workers} workers")
    web.write("v3")
    assert host.signal("web", "HUP").ok
    wait_until(lambda: web.answers("v3"), "the release is loaded anew")
    assert host.signal("web", "USR1").ok
    wait_until(lambda: "reopening logs" in host.log("web"), "USR1 reopened the logs")
    assert host.wait_for_rest("web") == master


@PAIRS
def test_output_is_captured_from_an_adopted_master(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """What the new workers print, on both streams, reaches the host's logs."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    for release in ("v2", "v3"):
        hand_over(host, release=release)
        assert web.ask(f"/print/said-by-{release}").outcome == "ok"
        wait_until(lambda r=release: f"\nerr-said-by-{r}" in host.log("web"), "stderr captured")
        wait_until(lambda r=release: host.log("web").count(f"said-by-{r}") == 2, "stdout captured")


@PAIRS
def test_an_adopted_master_that_crashes_is_started_again(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """Killed after its adoption, the program is started again at once."""
    web = Program(folder, server=server, restarted=True, timeout=10)
    host = make_host(web)
    host.start()
    adopted = hand_over(host)
    kill(look(adopted))
    wait_until(lambda: host.master("web") not in (0, adopted), "another master runs")
    host.wait_for_rest("web")
    assert web.answers("v2")
    hand_over(host, release="v3")


@PAIRS
def test_an_adopted_master_is_stopped_and_started(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """stop ends the new master and all it has, gracefully; start begins anew."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    hand_over(host)
    request = held_request(web)
    with Later(lambda: host.stop("web")) as stopped:
        wait_until(lambda: host.state("web") == "stopping", "it is told to stop")
        web.open_gate()
    assert stopped.result().ok and request.answer().outcome == "ok"
    assert host.state("web") == "stopped" and host.family("web") == []
    assert host.begin("web").ok
    wait_until(lambda: web.answers("v2"), "it serves again")
    hand_over(host, release="v3")


@PAIRS
def test_shutdown_ends_an_adopted_master(make_host: MakeHost, folder: Path, server: str) -> None:
    """When the host shuts down nothing of an adopted family is left."""
    web = Program(folder, server=server)
    host = make_host(web)
    host.start()
    hand_over(host)
    host.shutdown()
    host.wait_for_nobody("web")


@pytest.mark.parametrize(
    ("server", "phase", "way"),
    [
        *itertools.product(["unicorn"], ["re-executing", "booting", "draining"], WAYS),
        *itertools.product(["gunicorn"], ["booting", "draining"], ["stop"]),
        ("gunicorn", "draining", "shutdown"),
    ],
)
def test_an_end_in_the_middle_ends_both_masters(
    make_host: MakeHost, folder: Path, server: str, phase: str, way: str
) -> None:
    """stop and shutdown in a handover end both masters and leave nothing."""
    web = Program(folder, server=server)
    if phase == "re-executing":
        holding_exec(web)
    host = make_host(web)
    if phase == "booting":  # a worker that loads its app quits when it has
        web.host_options[host.patience] = "5"
    host.start()
    request = reach(host, phase)
    assert phase == "re-executing" or len(host.masters("web")) == 2
    with Later(lambda: host.stop("web") if way == "stop" else host.shutdown()):
        wait_until(lambda: host.state("web") != "running", "it is told to end")
        if phase != "booting":
            web.open_gate()
    assert request is None or request.answer().outcome == "ok"
    assert way == "shutdown" or host.state("web") == "stopped"
    host.wait_for_nobody("web")
    if way == "stop":
        assert host.phase("web") == "idle" and host.ended("web")[-1]["phase"] == "failed"
        web.write("v3")
        assert host.begin("web").ok
        wait_until(lambda: web.answers("v3"), "it serves again")


@PAIRS
@pytest.mark.parametrize("way", WAYS)
def test_an_end_before_the_exec(make_host: MakeHost, folder: Path, server: str, way: str) -> None:
    """A child that was forked for a new master, but not exec'd yet, is not left by an end."""
    web = holding_exec(Program(folder, server=server))
    host = make_host(web)
    web.host_options[host.patience] = "5"
    host.start()
    reach(host, "re-executing")
    wait_until(lambda: len(host.family("web")) == 4, "the child is forked")
    if way == "stop":
        assert host.stop("web").ok
    else:
        host.shutdown()
    host.wait_for_nobody("web")


# A starting interpreter can lose a signal; this one loses all.
DEAF = {
    "unicorn": "%w(QUIT TERM INT).each { |name| trap(name) {} }\nFile.write('deaf', '')\nsleep",
    "gunicorn": """\
import signal, time
for number in signal.SIGQUIT, signal.SIGTERM, signal.SIGINT:
    signal.signal(number, lambda number, frame: None)
open("deaf", "w").close()
while True:
    time.sleep(3600)
""",
}


@PAIRS
@pytest.mark.parametrize("way", WAYS)
def test_an_end_while_the_new_master_hears_no_signal(
    make_host: MakeHost, folder: Path, server: str, way: str
) -> None:
    """A new master that starts could lose its stop signal: it is killed, not waited for."""
    web = Program(folder, server=server)
    host = make_host(web)
    web.host_options[host.patience] = "3600"
    host.start()
    web.settings = DEAF[server]
    web.write("v2")
    assert host.restart("web", wait=False).ok
    wait_until((web.folder / "deaf").exists, "the new master reads its configuration")
    if way == "stop":
        assert host.stop("web").ok
    else:
        host.shutdown()
    host.wait_for_nobody("web")


@pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities to give away")
def test_as_in_a_container(make_host: MakeHost, folder: Path) -> None:
    """A root that cannot inspect other users' processes hands their programs over as well."""
    web = Program(folder)
    for path in (folder, web.folder, *web.folder.iterdir()):
        shutil.chown(path, "nobody")
    host = make_host(web)
    web.host_options[host.account] = "nobody"
    host.prefix = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
        web.write("v4", "raises")
        assert not host.restart("web").ok
        assert host.wait_for_rest("web") in masters
    assert len(masters) == 3 and load.failures == []


def test_unicorn_with_worker_exec(make_host: MakeHost, folder: Path) -> None:
    """Workers that are exec'd are told from masters, and are ready only with their app loaded."""
    # unicorn 6.0 with `worker_exec` and a pid file fails by itself.
    web = Program(folder, settings="worker_exec true", pidfile=False)
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "raises")
        outcome = host.restart("web")
        assert not outcome.ok and "v2 is broken" in outcome.text
        assert host.wait_for_rest("web") == first
        masters = {first, hand_over(host, release="v3"), hand_over(host, release="v4")}
    assert len(masters) == 3 and load.failures == []


@pytest.mark.parametrize("worker_exec", ["false", "true"])
def test_unicorn_from_a_short_command_line(
    make_host: MakeHost, folder: Path, worker_exec: str
) -> None:
    """A title longer than the command line is written over the environment: that is no obstacle."""
    web = Program(
        folder,
        command="ruby bin/unicorn -c u",
        settings=f"worker_exec {worker_exec}",
        pidfile=False,
    )
    (web.folder / "bin").mkdir()
    script = web.folder / "bin" / "unicorn"
    script.write_text(f"#!/usr/bin/env ruby\nload {UNICORN!r}\n")
    script.chmod(0o755)
    (web.folder / "u").symlink_to(web.conf)
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


@PAIRS
def test_no_pid_file(make_host: MakeHost, folder: Path, server: str) -> None:
    """A server without a pid file is handed over all the same."""
    web = Program(folder, server=server, pidfile=False)
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


# What the package setproctitle does, and gunicorn has it do where it is installed.
SET_TITLE = """
name = "gunicorn:"

def _write_title(role):
    import ctypes
    with open("/proc/self/stat") as file:
        words = file.read().rpartition(")")[2].split()
    arguments, end, environment, last = map(int, words[45:49])
    ctypes.memset(arguments, 0, end - arguments)
    ctypes.memset(environment, 0, last - environment)
    title = f"{name} {role} [app]".encode()
    ctypes.memmove(arguments, title, len(title))

def when_ready(server):
    _write_title("master")

def post_fork(server, worker):
    _write_title("worker")
"""


def test_gunicorn_that_sets_its_title(make_host: MakeHost, folder: Path) -> None:
    """With setproctitle, which writes over the environment, gunicorn is handed over too."""
    web = Program(folder, server="gunicorn", settings=SET_TITLE)
    host = make_host(web)
    host.start()
    assert _title(host.master("web")).startswith("gunicorn: master")
    with Load(web.address) as load:
        masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3 and load.failures == []


OWN_TITLES = {
    "gunicorn": SET_TITLE.replace("gunicorn:", "shop"),
    "unicorn": """\
before_fork { |server, worker| $0 = "shop master" + " " * 4000 }
after_fork { |server, worker| $0 = "shop worker" + " " * 4000 }
""",
}


def test_a_server_under_another_name(make_host: MakeHost, folder: Path, server: str) -> None:
    """Its title tells nothing, and hides the environment: it is found by what it does."""
    web = Program(folder, server=server, settings=OWN_TITLES[server])
    host = make_host(web, options={"server": server})
    host.start()
    re_execute_by_hand(host)
    assert host.stop("web").ok
    host.wait_for_nobody("web")
    assert host.begin("web").ok
    first = host.wait_for_rest("web")
    with Load(web.address) as load:
        masters = {first, hand_over(host)}
        web.write("v3", "raises")
        assert not host.restart("web").ok
        masters.add(hand_over(host, release="v4"))
    assert len(masters) == 3 and load.failures == []


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@PAIRS
def test_the_new_master_dies_while_the_old_drains(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """With the old master told to quit already, the program is started again when it has ended."""
    web = Program(folder, server=server, timeout=30)
    host = make_host(web)
    host.start()
    old = host.master("web")
    request = reach(host, "draining")
    end(host.new_master("web"))
    web.open_gate()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.master("web") not in (0, old), "it was started again")
    host.wait_for_rest("web")
    assert web.answers("v2") and host.ended("web")[-1]["phase"] == "failed"
    hand_over(host, release="v3")


@PAIRS
def test_a_new_master_that_is_stuck_is_killed(
    make_host: MakeHost, folder: Path, server: str
) -> None:
    """A new master that obeys nothing is killed with its workers when its time is over."""
    web = Program(folder, server=server)
    host = make_host(web, options={"boot_timeout": "12"})
    host.start()
    old = host.master("web")
    reach(host, "booting")
    new = host.new_master("web")
    kill(new, signal.SIGSTOP)
    with Load(web.address) as load:
        assert host.wait_for_rest("web") == old
        assert host.ended("web")[-1]["phase"] == "failed"
        hand_over(host, release="v3")
    assert load.failures == []


@PAIRS
def test_a_new_master_that_comes_too_late(make_host: MakeHost, folder: Path, server: str) -> None:
    """A master that obeys USR2 when its handover was given up makes no second family."""
    web = Program(folder, server=server)
    host = make_host(web, options={"boot_timeout": "2"})
    host.start()
    old = look(host.master("web"))
    kill(old, signal.SIGSTOP)
    with Load(web.address) as load:
        outcome = host.restart("web")
        assert not outcome.ok and "no new master appeared in time" in outcome.text
        kill(old, signal.SIGCONT)
        obeyed = "re-executing" if server == "unicorn" else "Handling signal: usr2"
        wait_until(lambda: obeyed in host.log("web"), "the old master obeys")
        assert host.wait_for_rest("web") == old.pid
    assert load.failures == []


def test_gunicorn_with_threads(make_host: MakeHost, folder: Path) -> None:
    """Other kinds of gunicorn workers prove their readiness in the same way."""
    web = Program(folder, server="gunicorn", settings="worker_class = 'gthread'\nthreads = 4")
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        web.write("v2", "raises")
        assert not host.restart("web").ok and host.wait_for_rest("web") == first
        masters = {first, hand_over(host, release="v3"), hand_over(host, release="v4")}
    assert len(masters) == 3 and load.failures == []


STARTS_HELPERS = """\
before_fork do |server, worker|
  $helper ||= spawn({{"{mark}" => nil}}, "sleep", "600", chdir: "/").tap do |pid|
    File.write("{path}", "#{{pid}}\n", mode: "a")
  end
end
"""


class Helpers:
    """What each master of a program has started, once, and the test has to end."""

    def __init__(self, program: Program) -> None:
        self._path = program.folder / "helpers"
        program.settings = STARTS_HELPERS.format(mark=MARK, path=self._path)
        program.write("v1")

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def living(self) -> list[Found]:
        """Those that live, the eldest first."""
        pids = self._path.read_text().split() if self._path.exists() else []
        return [found for found in map(look, map(int, pids)) if found]

    def end(self) -> None:
        """End all."""
        end(*self.living())


def test_a_program_that_a_master_started_is_no_master(make_host: MakeHost, folder: Path) -> None:
    """A job runner beside the app has a re-executed unicorn's sockets, and is never adopted."""
    web = Program(folder, restarted=True)
    with Helpers(web) as helpers:
        host = make_host(web)
        host.start()
        hand_over(host)
        last = hand_over(host, release="v3")
        kill(look(last))
        wait_until(lambda: host.master("web") != last, "the host knows of its end")
        assert host.master("web") not in {helper.pid for helper in helpers.living()}
        helpers.end()  # they hold the sockets that the next master needs
        host.wait_for_rest("web")


def test_a_program_with_a_master_s_sockets_does_not_outlive_a_stop(
    make_host: MakeHost, folder: Path
) -> None:
    """It would answer, or be in the way of the next start."""
    web = Program(folder)
    with Helpers(web) as helpers:
        host = make_host(web)
        host.start()
        hand_over(host)
        first, second = helpers.living()  # the first has no sockets
        assert host.stop("web").ok
        wait_until(lambda: helpers.living() == [first], "the second has ended")
        assert "left behind" in host.host_log() and str(second.pid) in host.host_log()
        assert host.begin("web").ok
        host.wait_for_rest("web")


def test_gunicorn_as_a_module(make_host: MakeHost, folder: Path) -> None:
    """`python -m gunicorn` has another command line from its first re-exec on."""
    web = Program(folder, server="gunicorn")
    web.conf = web.folder / "settings.py"  # nothing that `-m gunicorn` would find
    (web.folder / "gunicorn.py").unlink()
    web.write("v1")
    web.command = f"{sys.executable} -m gunicorn -c {web.conf} app:application"
    host = make_host(web)
    host.start()
    masters = {host.master("web"), hand_over(host), hand_over(host, release="v3")}
    assert len(masters) == 3


def test_the_old_master_dies_while_the_new_one_is_removed(
    make_host: MakeHost, folder: Path
) -> None:
    """The new one is the program until its last request has ended; then it is started again."""
    web = Program(folder, preload=True)  # by default Supervisor leaves one that ended well
    host = make_host(web, options={"soak": "100"})
    host.start()
    first = look(host.master("web"))
    reach(host, "soaking")
    new = host.new_master("web").pid
    wait_until(lambda: not host.workers("web"), "the old workers have gone")
    request = held_request(web)
    assert host.rollback("web").ok
    host.wait_for_phase("web", "removing")
    kill(first)
    wait_until(lambda: host.master("web") == new, "the new master is adopted")
    web.answer.touch()
    assert request.answer().outcome == "ok"
    wait_until(lambda: host.master("web") not in (0, new), "it is started anew")
    host.wait_for_rest("web")
    assert web.answers("v2")
