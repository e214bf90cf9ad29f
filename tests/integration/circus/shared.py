"""What the tests on Circus share."""

from __future__ import annotations

from ...kit.circus_host import CircusHost


def hand_over(host: CircusHost) -> int:
    """Hand web over, and return its new master."""
    outcome = host.restart("web")
    assert outcome.ok, outcome.text
    return host.wait_for_rest("web")
