"""restart returns at once, and says where the handover went when asked."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from ...kit.host import Outcome
from ...kit.programs import Program
from ..conftest import MakeHost


def test_restart_returns_at_once(
    make_host: MakeHost, folder: Path, server: str, loads: str
) -> None:
    """Without waiting, restart returns before the new release has loaded; then it is followed."""
    web = Program(folder, server=server, preload=loads == "preload")
    host = make_host(web)
    host.start()
    old = host.master("web")
    web.write("v2", "gated")
    outcome = host.restart("web", wait=False)
    assert outcome.ok and re.search("web: started", outcome.text)
    assert host.phase("web") != "idle" and host.master("web") == old
    waiting = threading.Thread(target=lambda: outcomes.append(host.restart("web")))
    outcomes: list[Outcome] = []
    waiting.start()
    web.open_gate()
    waiting.join(60)
    assert outcomes[0].ok and "web: started (pid" in outcomes[0].text
    assert host.wait_for_rest("web") != old and web.answers("v2")
