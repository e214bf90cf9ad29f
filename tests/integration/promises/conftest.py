"""Each promise is kept on every host, by every server, with the application preloaded or not."""

from __future__ import annotations

import pytest

from ...kit.host import Host
from ...kit.hosts import ALL


@pytest.fixture(params=ALL)
def host_class(request: pytest.FixtureRequest) -> type[Host]:
    """Every kind of host in turn, or those of the parameter."""
    kind: type[Host] = ALL[request.param]
    return kind


@pytest.fixture(params=["lazy", "preload"])
def loads(request: pytest.FixtureRequest) -> str:
    """When the application is loaded: lazy by each worker, preload by the master."""
    return str(request.param)


@pytest.fixture(autouse=True)
def cheap_starts() -> None:
    """Start all as everybody has it."""
