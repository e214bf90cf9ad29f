"""What the tests on a made-up kernel begin with."""

from __future__ import annotations

import pytest

from .fake_system import FakeSystem


@pytest.fixture
def system() -> FakeSystem:
    """A kernel with no process."""
    return FakeSystem()
