"""Supervisor's own tests of `Subprocess`, run against the kind that this plugin puts there."""

from __future__ import annotations

from typing import Any

from supervisor.tests import test_process

from supervisor_unicorn.process import ManagedSubprocess
from unicorn_handover.host.program import Program
from unicorn_handover.model.options import Options

from ..unit.fake_host import FakeHost


def made(config: Any) -> ManagedSubprocess:
    """A managed process of the dummy configuration that Supervisor's tests use."""
    host = FakeHost()
    program = Program(host, config.name, Options(), lambda record, entered: None)
    return ManagedSubprocess(config, program, host.loop, lambda: None)


class TestManagedSubprocess(test_process.SubprocessTests):  # type: ignore[misc]
    """What Supervisor expects of a process holds for a managed one that no handover concerns."""

    def _getTargetClass(self) -> Any:
        return made
