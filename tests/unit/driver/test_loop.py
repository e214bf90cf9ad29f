"""The driver's end of the channel."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from unicorn_handover.driver.loop import DriverEnd
from unicorn_handover.kernel.system import System
from unicorn_handover.model.options import Options
from unicorn_handover.model.orders import Order, Orders
from unicorn_handover.model.packets import packets_of
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record
from unicorn_handover.servers import Launch

DEAD = MasterId(2**22 + 1, 1)  # no pid is larger than 2^22: proc(5), pid_max


def test_orders_that_no_packet_can_hold_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred programs with their environments, say: each handover is begun."""
    monkeypatch.setattr(System, "raise_descriptor_limit", lambda system: None)  # of this process
    record = Record("web", 1, Phase.REQUESTED, DEAD, 0.0, 0.0)
    launch = Launch(environ={"KEYS": "x" * (1 << 21)})
    orders = json.dumps(Orders([Order(record, Options(), "", launch)]).to_json()).encode()
    host, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    host.settimeout(30)
    driver = threading.Thread(target=DriverEnd(channel).run)
    with host, channel:
        driver.start()
        for packet in packets_of(orders):
            host.send(packet)
        said: dict[str, str] = {}
        while not said.get("reason"):
            said = json.loads(host.recv(1 << 20)).get("record", {})
        host.shutdown(socket.SHUT_RDWR)
        driver.join(30)
    assert not driver.is_alive()
    assert said["reason"] == "the old master ended before the handover began"
