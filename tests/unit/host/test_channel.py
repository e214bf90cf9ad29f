"""What crosses the channel between a host and its driver."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import replace

import pytest

from unicorn_handover.host.channel import AT_ONCE
from unicorn_handover.model.orders import Order, Orders
from unicorn_handover.model.packets import Assembly
from unicorn_handover.model.phases import Phase

from ..fake_host import FakeHost


def ordered(driver: socket.socket) -> list[tuple[str, int, str]]:
    """The newest orders: the program, the number and the operator's command of each."""
    message = json.loads(driver.recv(1 << 20))
    return [
        (order["record"]["program"], order["record"]["number"], order["command"])
        for order in message["orders"]
    ]


def test_the_driver_is_told_of_every_change_once(host: FakeHost, driver: socket.socket) -> None:
    """The whole list, when a handover begins, is steered or ends; not at a mere report."""
    assert ordered(driver) == []
    host.request(host.web)
    assert ordered(driver) == [("web", 1, "")]
    host.drive(Phase.BOOTING)
    host.request(host.api)
    assert ordered(driver) == [("web", 1, ""), ("api", 1, "")]
    host.steer(host.web, "rollback")
    assert ordered(driver) == [("web", 1, "rollback"), ("api", 1, "")]
    host.drive(Phase.FAILED)
    assert ordered(driver) == [("api", 1, "")]


def test_many_changes_at_once_are_one_message(host: FakeHost, driver: socket.socket) -> None:
    """What a command begins for all programs, and what the driver has reported meanwhile."""
    assert ordered(driver) == []
    with host.together():
        host.request(host.web)
        host.request(host.api)
    for program in (host.web, host.api):
        record = program.handovers.running
        assert record
        driver.send(json.dumps({"record": record.but(phase=Phase.FAILED).to_json()}).encode())
    host.loop.turn()  # type: ignore[attr-defined]
    assert ordered(driver) == [("web", 1, ""), ("api", 1, "")]
    assert ordered(driver) == []


def test_what_takes_long_is_heard_in_turns(
    host: FakeHost, driver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message may have a master started, and the host has others to serve in between."""
    heard: list[str] = []

    def take(fields: dict[str, str]) -> None:
        host.wait(AT_ONCE)
        heard.append(fields["program"])

    monkeypatch.setattr(host, "take", take)
    for name in ("web", "api"):
        driver.send(json.dumps({"record": {"program": name}}).encode())
    host.loop.turn()  # type: ignore[attr-defined]
    assert heard == ["web"]
    host.loop.turn()  # type: ignore[attr-defined]
    assert heard == ["web", "api"]


def test_a_caller_behind_an_unread_record_gets_the_next_one(
    host: FakeHost, driver: socket.socket
) -> None:
    """The record may say that USR2 was sent already; once it is read, and says no, they join."""
    host.request(host.web)
    record = host.web.handovers.running
    assert record
    driver.send(json.dumps({"record": record.but(phase=Phase.CHECKING).to_json()}).encode())
    assert host.request(host.web) == 2
    host.loop.turn()  # type: ignore[attr-defined]
    assert host.web.handovers.running and host.web.handovers.running.phase is Phase.CHECKING


def test_what_cannot_be_used_is_logged_and_the_next_is_heard(
    host: FakeHost, driver: socket.socket
) -> None:
    """Also the last words of a driver that was killed before it had read its own orders."""
    host.request(host.web)
    record = host.web.handovers.running
    assert record
    for said in (
        "nonsense",
        "[]",
        json.dumps({"record": record.but(phase=Phase.BOOTING).to_json()}),
    ):
        driver.send(said.encode())
    driver.close()
    host.loop.turn()  # type: ignore[attr-defined]
    assert host.web.handovers.running and host.web.handovers.running.phase is Phase.BOOTING
    assert len([line for line in host.lines if "cannot use what the driver said" in line]) == 2
    assert not host.presence.is_there and len(host.loop.watched) == 2  # type: ignore[attr-defined]
    host.request(host.api)  # nobody is told, and nothing raises


def test_a_driver_that_reads_nothing_gets_the_newest_orders(
    host: FakeHost, driver: socket.socket
) -> None:
    """The host does not wait for it: what the socket does not take is replaced by what is newer."""
    loop = host.loop
    for _ in range(10_000):
        host.request(host.web)
        host.drive(Phase.FAILED, reason="x" * 100)
        if loop.writers:  # type: ignore[attr-defined]
            break
    host.request(host.api)
    driver.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            driver.recv(1 << 20)
    (writer,) = loop.writers.values()  # type: ignore[attr-defined]
    loop.writers.clear()  # type: ignore[attr-defined]
    writer()
    assert ("api", 1, "") in ordered(driver)


def test_orders_that_no_packet_can_hold_come_whole(host: FakeHost, driver: socket.socket) -> None:
    """Programs have their environments: a hundred of them are more than a socket takes at once.

    Newer orders do not cut those that have begun to be sent.
    """
    web, api = host.web.supervised, host.api.supervised
    for supervised in (web, api):
        long = replace(supervised.launch, environ={"KEYS": "x" * (1 << 20)})
        supervised.launch = long  # type: ignore[misc]
    assembly, orders = Assembly(), list[bytes]()
    host.request(host.web)
    host.request(host.api)
    driver.setblocking(False)
    for _ in range(1000):
        with contextlib.suppress(BlockingIOError):
            while True:
                orders += filter(None, [assembly.add(driver.recv(1 << 20))])
        for writer in host.loop.writers.values():  # type: ignore[attr-defined]
            writer()
    programs = [[o.record.program for o in orders_of(each)] for each in orders]
    assert programs == [[], ["web"], ["web", "api"]]
    assert orders_of(orders[2])[1].launch.environ == api.launch.environ


def orders_of(message: bytes) -> list[Order]:
    """The orders in a message to the driver."""
    return Orders.from_json(json.loads(message)).orders


def test_a_driver_that_has_just_ended_is_no_error(host: FakeHost, driver: socket.socket) -> None:
    """It was stopped with its host's other programs: the loop tells of its end in a moment."""
    driver.close()
    host.request(host.web)
    assert not [line for line in host.lines if "cannot speak" in line]
