"""Whether a descriptor can be read or written now (poll(2)). Nothing here waits."""

from __future__ import annotations

import select
from typing import Any, Union

Descriptor = Union[int, Any]  # a number, or what has `fileno`


def readable(descriptor: Descriptor) -> bool:
    """True if a read would not wait: for a pidfd, if its process has ended."""
    return bool(_poll(descriptor))


def has_data(descriptor: Descriptor) -> bool:
    """True if there is something to read, and not only the end of a pipe whose writers are gone."""
    return bool(_poll(descriptor) & select.POLLIN)


def writable(descriptor: Descriptor) -> bool:
    """True if a write of a line would not wait: a pipe has a free page, or nobody reads it."""
    return bool(_poll(descriptor, select.POLLOUT))


def _poll(descriptor: Descriptor, events: int = select.POLLIN) -> int:
    """The events of a descriptor at this moment, 0 if there are none."""
    poller = select.poll()
    poller.register(descriptor, events)
    return sum(events for _, events in poller.poll(0))
