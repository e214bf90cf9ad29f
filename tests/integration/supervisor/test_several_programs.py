"""Several programs, groups, and how many handovers run at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ...kit.load import Load
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import hand_over, reach
from .shared import PLAIN, echo_conf


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
