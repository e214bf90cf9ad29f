"""Managed watchers inside a real arbiter: a driver that is late, or is replaced."""

from __future__ import annotations

import json
import socket

import pytest

from circus_unicorn.driver import Driver
from circus_unicorn.plugin import NAME
from unicorn_handover.host.presence import DRIVER_GRACE, Presence
from unicorn_handover.model.phases import Phase

from .circusd import Circusd, Make


class FarEnd:
    """The driver's end of the channel, in this process."""

    def __init__(self, circusd: Circusd, monkeypatch: pytest.MonkeyPatch) -> None:
        self._circusd = circusd
        monkeypatch.setattr(circusd.host.driver, "is_ours", lambda pid: True)
        monkeypatch.setattr(Driver, "will_come", True)

    def __enter__(self) -> socket.socket:
        address = self._circusd.conf.parent.name
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(NAME + address)
            listener.listen()
            self._circusd.command("unicorn", do="connect", address=address)
            self._channel, _ = listener.accept()
        return self._channel

    def __exit__(self, *exception: object) -> None:
        self._channel.close()


def test_a_driver_that_comes_late(make_circusd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds what was asked for shortly before, though none was there for too long a time."""
    circusd = make_circusd()
    host, now = circusd.host, [0.0]
    monkeypatch.setattr(host.system, "clock", lambda: now[0])
    host.presence = Presence(host.system.clock)
    now[0] = DRIVER_GRACE - 1
    circusd.web.program.handovers._clock = host.system.clock
    circusd.web.program.handovers.request()
    now[0] = DRIVER_GRACE + 1
    with FarEnd(circusd, monkeypatch) as channel:
        assert circusd.web.program.handovers.running and b'"web"' in channel.recv(1 << 20)


def test_a_handover_that_circusd_has_not_heard_of(
    make_circusd: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks after its USR2 gets the next one, though circusd was busy when it was sent."""
    circusd = make_circusd()
    with FarEnd(circusd, monkeypatch) as channel:
        assert not circusd.web.restart().done()
        record = circusd.web.program.handovers.running
        assert record and record.number == 1
        begun = record.but(phase=Phase.RE_EXECUTING, signalled=record.began)
        channel.send(json.dumps({"record": begun.to_json()}).encode())
        assert not circusd.web.restart().done()
        assert circusd.web.program.handovers.queued_next == 2


def test_restarts_while_reloadconfig_replaces_the_plugin(make_circusd: Make) -> None:
    """The stopped driver is no reason to refuse: the next one is about to be started."""
    circusd = make_circusd()
    plugin = circusd.arbiter.get_watcher("plugin:unicorn")
    plugin.autostart = True
    assert plugin.is_stopped() and "is not running" in circusd.web.restart().result()["error"]
    circusd.arbiter._exclusive_running_command = "arbiter_reload_config"
    assert not circusd.web.restart().done()
    circusd.arbiter._exclusive_running_command = None
