"""A circusd with one managed program."""

from __future__ import annotations

import pytest

from ...kit.circus_host import CircusHost


@pytest.fixture
def host(circusd: CircusHost) -> CircusHost:
    """A circusd that has one managed program; not started."""
    return circusd
