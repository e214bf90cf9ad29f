"""A handover whose host was killed before it began, as far as the next host knows."""

from __future__ import annotations

from signal import SIGUSR2

import pytest

from unicorn_handover.driver.preflight import Preflight
from unicorn_handover.errors import Refused
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import SERVERS, Launch

from ..fake_system import FakeSystem
from ..fake_unicorn import Unicorn


@pytest.mark.parametrize(
    ("inherited", "method", "refused"),
    [(False, "auto", True), (True, "auto", False), (True, "usr2", False), (True, "spawn", True)],
)
def test_a_second_master(inherited: bool, method: str, refused: bool) -> None:
    """The killed host's driver may have sent a USR2 that it reported in vain."""
    system = FakeSystem()
    master = Unicorn(system).start()
    master.obey(SIGUSR2)
    system.advance_to(system.now + 1)
    checks = Preflight(system, system.hold(master.pid), SERVERS["unicorn"], Launch())  # type: ignore[arg-type]
    record = Record("web", 1, Phase.CHECKING, MasterId(1, 1), 0, 0, method=method)
    record = record.but(inherited=inherited)
    if refused:
        with pytest.raises(Refused, match="already has a new master"):
            checks.method(record)
    else:
        assert checks.method(record) == ("usr2", "")
