"""Managed watchers inside a real arbiter: one that is wrong costs no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from circus_unicorn import watcher as watcher_module

from .circusd import Make

API = "[watcher:api]\ncmd = sleep 600{quote}\ncopy_env = True"


BOTH = "watchers = api,web"


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
    assert answer["reason"].startswith(r"web: RuntimeError: no such\nluck (adapters/test_")
    circusd.turn_until(lambda: set(other.processes) - before, "api is restarted")


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


@pytest.mark.parametrize(
    ("options", "keys", "why"),
    [
        ("method = usr2", "args = -v", "method = usr2 cannot give that to a new master"),
        ("method = spawn", "working_dir = /nonexistent", "/nonexistent is not there"),
    ],
)
def test_a_changed_section_that_cannot_be_given(
    make_circusd: Make, options: str, keys: str, why: str
) -> None:
    """The caller is told why, each time; the master and its section stay as they are."""
    circusd = make_circusd(plugin=f"watchers = web\n{options}")
    old, before = circusd.master, circusd.host.watchers["web"]._cfg
    circusd.write(web=keys)
    for _ in range(2):
        answer = circusd.told(circusd.command("reloadconfig", waiting=True))
        assert answer["status"] == "error" and why in answer["reason"]
        assert circusd.master == old and circusd.masters() == [old]
        assert circusd.host.watchers["web"]._cfg == before
    assert "web stopped" not in circusd.log


def test_a_changed_section_in_a_handover(make_circusd: Make) -> None:
    """It is refused until the handover has ended."""
    circusd = make_circusd()
    old = circusd.master
    circusd.host.request(circusd.host.programs["web"])
    circusd.write(web="args = -v")
    answer = circusd.told(circusd.command("reloadconfig", waiting=True))
    assert "web: a handover is under way" in answer["reason"]
    assert circusd.master == old and circusd.host.programs["web"].handovers.running


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


def test_all_watchers_are_looked_at_once_a_check(
    make_circusd: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once for each of them, which would cost the square of their number."""
    circusd = make_circusd(plugin=BOTH, more=API.format(quote=""))
    looks: list[str] = []
    monkeypatch.setattr(circusd.host.circusd, "look", lambda: looks.append("at all"))
    for checks in (1, 2):
        circusd.manage()
        assert len(looks) == checks
