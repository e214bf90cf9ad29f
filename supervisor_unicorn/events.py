"""The event types this plugin adds to Supervisor's own."""

from __future__ import annotations

from supervisor.events import Event, register
from supervisor.options import split_namespec

from unicorn_handover.errors import printable
from unicorn_handover.model.record import Record


class HandoverEvent(Event):  # type: ignore[misc]
    """UNICORN_HANDOVER: a handover entered a phase. Any listener may subscribe to it."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def payload(self) -> str:
        """Return `key:value` words, as all of Supervisor's process events have, then the reason."""
        record = self.record
        group, name = split_namespec(record.program)
        new = record.new.pid if record.new else 0
        return (
            f"processname:{name} groupname:{group} number:{record.number} "
            f"phase:{record.phase.value} old_pid:{record.old.pid} new_pid:{new}\n"
            f"{printable(record.reason)}"
        )


class DriverEvent(Event):  # type: ignore[misc]
    """UNICORN_DRIVER: the pool that subscribes to it is the driver. It is never sent.

    supervisord and the driver speak over a socket instead: events wait in a buffer of ten, which
    overflows, and a listener's answers can carry nothing while it has no event.
    """


register("UNICORN_HANDOVER", HandoverEvent)
register("UNICORN_DRIVER", DriverEvent)
