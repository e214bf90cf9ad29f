"""What circusd publishes, collected while a test does something else."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from zmq.constants import SocketOption, SocketType
from zmq.sugar.context import Context

from ..waiting import wait_until


class Event(NamedTuple):
    """What circusd published."""

    topic: str
    message: dict[str, Any]


@contextlib.contextmanager
def collected(
    endpoint: str, topic: str, probe: str, send_probe: Callable[[], bool]
) -> Iterator[list[Event]]:
    """Collect the events whose topic begins with this; the probe shows that circusd sends us any.

    `probe` is the topic of an event that `send_probe` has circusd publish.
    """
    found: list[Event] = []
    with Context() as context, context.socket(SocketType.SUB) as subscriber:
        for prefix in (topic, probe):
            subscriber.setsockopt(SocketOption.SUBSCRIBE, prefix.encode())
        subscriber.connect(endpoint)
        wait_until(lambda: send_probe() and subscriber.poll(50), "circusd knows of us")
        ended = threading.Event()

        def collect() -> None:
            while not ended.is_set():
                while subscriber.poll(50):
                    name, text = subscriber.recv_multipart()
                    if name != probe.encode():
                        found.append(Event(name.decode(), json.loads(text)))

        collector = threading.Thread(target=collect)
        collector.start()
        try:
            yield found
        finally:
            ended.set()
            collector.join()
