"""Managed watchers inside a real arbiter: how they stop, what they survive, what they answer."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from circus.exc import ConflictError, MessageError
from circus.process import UNEXISTING
from circus.watcher import Watcher

from circus_unicorn import watcher as watcher_module
from circus_unicorn import workers as workers_module
from circus_unicorn.driver import Driver
from circus_unicorn.plugin import NAME
from unicorn_handover.host.presence import DRIVER_GRACE, Presence
from unicorn_handover.model.phases import Phase

from .circusd import Circusd, allowed, hooked

Make = Callable[..., Circusd]

API = "[watcher:api]\ncmd = sleep 600{quote}\ncopy_env = True"
BOTH = "watchers = api,web"


@pytest.fixture
def make_circusd(tmp_path: Path) -> Iterator[Make]:
    """Make a `Circusd` whose watcher web is managed, and runs."""
    made: list[Circusd] = []

    def make(**keys: str) -> Circusd:
        made.append(Circusd(tmp_path, **keys))
        made[-1].start()
        return made[-1]

    yield make
    for circusd in made:
        circusd.close()


# -- one that is wrong costs no other -------------------------------------------------------------


def test_a_bad_cmd_costs_no_other_its_master(make_circusd: Make) -> None:
    """When circusd starts anew, web's master goes on, and no second one is started beside it."""
    circusd = make_circusd(plugin=BOTH, more=API.format(quote=""))
    old = circusd.master
    circusd.write(more=API.format(quote=" 'x"))
    circusd.start_anew()
    circusd.turn_until(lambda: circusd.master == old, "web has its master")
    circusd.turn_until(lambda: circusd.masters() == [old], "there is one family")
    assert "[watcher:api] cmd: No closing quotation in sleep 600 'x; correct cmd" in circusd.log


@pytest.mark.parametrize("cmd", ["python 'x", "", "nosuch"])
def test_a_bad_cmd_is_refused(make_circusd: Make, cmd: str) -> None:
    """In one line, by every kind of mistake; the restart of all restarts the others."""
    circusd = make_circusd(more=API.format(quote=""))
    old, other = circusd.master, circusd.arbiter.get_watcher("api")
    before = set(other.processes)
    circusd.web.cmd = cmd
    answer = circusd.told(circusd.command("restart", name="*", waiting=True))
    assert answer["reason"].startswith("web: [watcher:web] cmd: ")
    assert answer["reason"].endswith("correct cmd") and "\n" not in answer["reason"]
    assert circusd.master == old and len(other.processes) == 1 and set(other.processes) != before


@pytest.mark.parametrize("name", ["restart", "reload"])
def test_an_unexpected_error_is_an_answer(
    make_circusd: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever is raised where a handover begins, the caller hears it, and the others go on."""
    circusd = make_circusd(more=API.format(quote=""))
    other = circusd.arbiter.get_watcher("api")
    before = set(other.processes)

    def broken(watcher: object) -> str:
        raise RuntimeError("no such\nluck")

    monkeypatch.setattr(watcher_module.ManagedWatcher, "refusal", broken)
    props = {"name": "*"} if name == "restart" else {}
    answer = circusd.told(circusd.command(name, waiting=True, **props))
    assert answer["reason"] == r"web: RuntimeError: no such\nluck"
    circusd.turn_until(lambda: set(other.processes) - before, "api is restarted")


# -- when circusd starts anew ---------------------------------------------------------------------


def test_a_prompt_in_the_environment(make_circusd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `reloadconfig` takes PS1 out of what Circus has; the master outlives circusd all the same.

    A change of another variable is one of the watcher: it is stopped, and started with that.
    """
    monkeypatch.setenv("PS1", "$ ")
    circusd = make_circusd()
    old = circusd.master
    circusd.told(circusd.command("reloadconfig", waiting=True))
    circusd.start_anew()
    circusd.turn_until(lambda: circusd.masters() == [old] == [circusd.master], "it goes on")
    monkeypatch.setenv("RELEASE", "2")
    circusd.start_anew()
    circusd.turn_until(lambda: circusd.master not in (0, old), "another master")


def test_two_sections_of_the_plugin(make_circusd: Make, tmp_path: Path) -> None:
    """Circus keeps the first value of a key: the watchers of both are managed, and it is told."""
    included = tmp_path / "more.ini"
    included.write_text("; of ours\n[plugin:unicorn]\nwatchers = api\nsoak = 5\n")
    more = API.format(quote="") + f"\n[circus]\ninclude = {included}\n"
    circusd = make_circusd(more=more)
    circusd.turn_until(lambda: set(circusd.host.watchers) == {"web", "api"}, "both are managed")
    (line,) = [line for line in circusd.lines if "is there 2 times" in line]
    assert line.startswith(f"[plugin:unicorn] is there 2 times, in {circusd.conf}:")
    assert f"and {included}:2;" in line and line.endswith("with watchers = web,api")


def test_two_watchers_of_one_name(make_circusd: Make) -> None:
    """But for its case: Circus starts both and its commands reach only one, so it is told."""
    circusd = make_circusd(more="[watcher:WEB]\ncmd = sleep 600\ncopy_env = True")
    line = "[plugin:unicorn] watchers: 2 watchers have the name web, but for upper and lower case"
    assert line in circusd.log


def test_the_plugin_s_name_with_a_colon(make_circusd: Make) -> None:
    """Circus takes it for the same, so its watchers are managed, and outlive circusd."""
    circusd = make_circusd(use="circus_unicorn:UnicornPlugin")
    old = circusd.master
    circusd.start_anew()
    circusd.turn_until(lambda: circusd.masters() == [old] == [circusd.master], "it goes on")


# -- the end of masters ---------------------------------------------------------------------------


def test_a_stop_behind_a_kill(make_circusd: Make) -> None:
    """It gives the process the time that it has by itself; nothing is killed before."""
    circusd = make_circusd(web="graceful_timeout = 60")
    master = circusd.master
    os.kill(master, signal.SIGSTOP)
    circusd.web.kill_process(circusd.web.process)
    stop = circusd.command("stop", name="web", waiting=True)
    circusd.turn_until(lambda: circusd.web.is_ending, "the stop is under way")
    os.kill(master, signal.SIGCONT)
    circusd.told(stop)
    assert circusd.web.is_stopped() and "outlived its stop" not in circusd.log
    assert [told["signum"] for told in hooked if told["hook_name"] == "before_signal"] == [3]


def test_a_kill_that_takes_too_long(make_circusd: Make) -> None:
    """A stop behind it waits for its own graceful_timeout, and kills then."""
    circusd = make_circusd(web="graceful_timeout = 0.3")
    os.kill(circusd.master, signal.SIGSTOP)
    circusd.web.kill_process(circusd.web.process, graceful_timeout=600)
    circusd.told(circusd.command("stop", name="web", waiting=True))
    assert circusd.web.is_stopped() and circusd.masters() == []


def test_an_adopted_master_that_crashes(make_circusd: Make) -> None:
    """It is as old as its process, not as its adoption, so another one is started at once."""
    circusd = make_circusd()
    old, new = circusd.master, circusd.re_execute()
    circusd.arbiter.check_delay = 1.0
    circusd.turn_until(lambda: time.time() > psutil.Process(new).create_time() + 1, "age")
    os.kill(old, signal.SIGQUIT)
    circusd.turn_until(lambda: circusd.master == new, "it is adopted")
    os.kill(new, signal.SIGKILL)
    circusd.turn_until(lambda: circusd.master not in (0, old, new), "another master")


def test_what_hooks_are_told_of_an_old_master(make_circusd: Make) -> None:
    """It does not exist any more, and is not running, as of every process that was reaped."""
    circusd = make_circusd()
    old, new = circusd.master, circusd.re_execute()
    os.kill(old, signal.SIGQUIT)
    circusd.turn_until(lambda: circusd.master == new, "it is adopted")
    circusd.turn_until(lambda: hooked, "the hook is called")
    assert hooked[-1]["hook_name"] == "after_reap" and hooked[-1]["process_pid"] == old
    assert hooked[-1]["process_status"] == UNEXISTING and hooked[-1]["exit_code"] == 0


def test_a_signal_that_the_hook_stops(make_circusd: Make) -> None:
    """Nobody gets it, and the handover goes on; one that passes ends both masters, and that."""
    circusd = make_circusd()
    old, new = circusd.master, circusd.re_execute()
    circusd.web.program.handovers.request()
    allowed[:] = [False]
    circusd.command("signal", name="web", signum="QUIT")
    assert circusd.web.program.handovers.running
    assert [told["pid"] for told in hooked] == [old, new]
    allowed[:] = [True]
    circusd.command("signal", name="web", signum="QUIT")
    ended = circusd.web.program.handovers.ended[-1]
    assert ended.phase is Phase.FAILED and ended.reason == "the master was sent SIGQUIT"
    assert [told["pid"] for told in hooked if told["hook_name"] == "before_signal"] == [
        old, new, old, new,
    ]  # fmt: skip
    circusd.turn_until(lambda: not {old, new} & set(circusd.masters()), "both have ended")


class Unkillable:
    """Orphans that nothing ends."""

    hopeless = False

    def left_in(self, *arguments: object) -> list[object]:
        """No other ones."""
        return []

    def keep(self, *arguments: object) -> None:
        """They are kept."""

    def mind(self) -> bool:
        """They are there."""
        return True

    def kill(self) -> None:
        """In vain."""
        self.hopeless = True

    def release(self) -> None:
        """Nothing is held."""


def test_orphans_that_cannot_be_killed(make_circusd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop does not wait for them for ever: circusd's log tells, and takes the next command."""
    monkeypatch.setattr(watcher_module, "HOPELESS", 0.2)
    circusd = make_circusd(web="graceful_timeout = 0.2")
    monkeypatch.setattr(circusd.web.program, "orphans", Unkillable())
    circusd.told(circusd.command("stop", name="web", waiting=True))
    assert circusd.web.is_stopped()
    lines = [line for line in circusd.lines if "was killed and does not end" in line]
    assert len(lines) == 1 and lines[0].startswith("web: ")


# -- given back to Circus -------------------------------------------------------------------------


def give_back(circusd: Circusd) -> None:
    """Remove the plugin, as `rm plugin:unicorn` does."""
    circusd.told(circusd.command("rm", name="plugin:unicorn", waiting=True))


def test_given_back_with_a_dead_master(make_circusd: Make) -> None:
    """In Circus's next look the watcher is let go, and another master is started as ever."""
    circusd = make_circusd()
    give_back(circusd)
    old = circusd.master
    os.kill(old, signal.SIGKILL)
    os.waitid(os.P_PID, old, os.WEXITED | os.WNOWAIT)
    circusd.told(circusd.web.manage_processes())
    assert type(circusd.web) is Watcher and len(circusd.web.processes) == 1
    assert circusd.masters() not in ([], [old]) and "Error" not in circusd.log


def test_given_back_while_it_is_at_something(make_circusd: Make) -> None:
    """What was begun before ends quietly: the death of a master, and a change of workers."""
    circusd = make_circusd(plugin="watchers = web\nserver = gunicorn")
    web, process = circusd.web, circusd.web.process
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers_module, "handlers_installed", lambda system, pid: False)
        incr = circusd.command("incr", name="web", waiting=True)
        give_back(circusd)
        circusd.host.look()
        assert type(web) is Watcher
        assert circusd.told(incr) == {"numprocesses": 0}
    late = watcher_module.ManagedWatcher._without_master(web, process, False, 100.0)
    circusd.told(late)
    watcher_module.ManagedWatcher.master_died(web, process)
    assert "Error" not in circusd.log


# -- workers --------------------------------------------------------------------------------------


def test_incr_waits_for_a_master_that_boots(
    make_circusd: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as a new one may take, and not only until a signal should have been taken."""
    monkeypatch.setattr(workers_module, "PATIENCE", 0.0)
    circusd = make_circusd(plugin="watchers = web\nserver = gunicorn")
    hears = iter([False] * 10)
    monkeypatch.setattr(workers_module, "handlers_installed", lambda system, pid: next(hears, True))
    assert circusd.told(circusd.command("incr", name="web", waiting=True)) == {"numprocesses": 1}


def test_incr_of_a_stopped_watcher(make_circusd: Make) -> None:
    """It has no workers, and waits for none."""
    circusd = make_circusd(plugin="watchers = web\nboot_timeout = 1000")
    circusd.told(circusd.command("stop", name="web", waiting=True))
    assert circusd.told(circusd.command("incr", name="web", waiting=True)) == {"numprocesses": 0}


def test_incr_of_a_removed_watcher(make_circusd: Make) -> None:
    """It is unknown, in the middle of its end as well."""
    circusd = make_circusd(web="graceful_timeout = 60")
    master = circusd.master
    os.kill(master, signal.SIGSTOP)
    removal = circusd.command("rm", name="web", waiting=True)
    with pytest.raises(MessageError, match="program web not found"):
        circusd.command("incr", name="web")
    os.kill(master, signal.SIGCONT)
    circusd.told(removal)
    with pytest.raises(MessageError, match="program web not found"):
        circusd.command("incr", name="web")


def test_a_refused_set_changes_nothing(make_circusd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Circus is locked, the caller hears that, and no worker is added behind it."""
    circusd = make_circusd()
    asked: list[int] = []
    monkeypatch.setattr(circusd.web._workers, "set", asked.append)
    circusd.arbiter._exclusive_running_command = "arbiter_reload"
    with pytest.raises(ConflictError):
        circusd.command("set", name="web", options={"numprocesses": 3})
    circusd.arbiter._exclusive_running_command = None
    circusd.told(circusd.command("set", name="web", options={"numprocesses": 4}))
    circusd.turn_until(lambda: asked, "workers are set")
    assert asked == [4]


# -- the driver -----------------------------------------------------------------------------------


class FarEnd:
    """The driver's end of the channel, in this process."""

    def __init__(self, circusd: Circusd, monkeypatch: pytest.MonkeyPatch) -> None:
        self._circusd = circusd
        monkeypatch.setattr(circusd.host.driver, "is_ours", lambda pid: True)
        monkeypatch.setattr(Driver, "will_come", True)

    def __enter__(self) -> socket.socket:
        address = self._circusd.conf.parent.name
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(NAME + address)
            listener.listen()
            self._circusd.command("unicorn", do="connect", address=address)
            self._channel, _ = listener.accept()
        return self._channel

    def __exit__(self, *exception: object) -> None:
        self._channel.close()


def test_a_driver_that_comes_late(make_circusd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds what was asked for shortly before, though none was there for too long a time."""
    circusd = make_circusd()
    host, now = circusd.host, [0.0]
    monkeypatch.setattr(host.system, "clock", lambda: now[0])
    host.presence = Presence(host.system.clock)
    now[0] = DRIVER_GRACE - 1
    circusd.web.program.handovers._clock = host.system.clock
    circusd.web.program.handovers.request()
    now[0] = DRIVER_GRACE + 1
    with FarEnd(circusd, monkeypatch) as channel:
        assert circusd.web.program.handovers.running and b'"web"' in channel.recv(1 << 20)


def test_a_handover_that_circusd_has_not_heard_of(
    make_circusd: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks after its USR2 gets the next one, though circusd was busy when it was sent."""
    circusd = make_circusd()
    with FarEnd(circusd, monkeypatch) as channel:
        assert not circusd.web.restart().done()
        record = circusd.web.program.handovers.running
        assert record and record.number == 1
        begun = record.but(phase=Phase.RE_EXECUTING, signalled=record.began)
        channel.send(json.dumps({"record": begun.to_json()}).encode())
        assert not circusd.web.restart().done()
        assert circusd.web.program.handovers.queued_next == 2


def test_restarts_while_reloadconfig_replaces_the_plugin(make_circusd: Make) -> None:
    """The stopped driver is no reason to refuse: the next one is about to be started."""
    circusd = make_circusd()
    plugin = circusd.arbiter.get_watcher("plugin:unicorn")
    plugin.autostart = True
    assert plugin.is_stopped() and "is not running" in circusd.web.restart().result()["error"]
    circusd.arbiter._exclusive_running_command = "arbiter_reload_config"
    assert not circusd.web.restart().done()
    circusd.arbiter._exclusive_running_command = None
