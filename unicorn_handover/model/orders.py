"""What the host orders of the driver: the whole list, whenever it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..servers.launch import Launch
from .options import Options
from .record import Record

LARGEST = 1 << 20  # bytes of one message between host and driver
CHANNEL_FD = 3  # the descriptor at which a driver inherits its end of the channel


@dataclass(frozen=True)
class Order:
    """One handover that the host wants driven, as it knows it, and the operator's command.

    launch: how the running master was started, by the section in force. next_launch: how the
    host would start the new one.
    """

    record: Record
    options: Options
    command: str = ""
    launch: Launch = field(default_factory=Launch)
    next_launch: Launch = field(default_factory=Launch)

    def to_json(self) -> dict[str, Any]:
        """Return this as what `json.dumps` takes."""
        return {
            "record": self.record.to_json(),
            "options": vars(self.options),
            "command": self.command,
            "launch": vars(self.launch),
            "next_launch": vars(self.next_launch),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Order:
        """Read what `to_json` gave. Raises KeyError, TypeError or ValueError if it is not that."""
        record = Record.from_json(fields["record"])
        known = Options.__dataclass_fields__
        options = {name: value for name, value in fields["options"].items() if name in known}
        launch = Launch.from_json(fields.get("launch", {}))
        next_launch = Launch.from_json(fields.get("next_launch", {}))
        return cls(record, Options(**options), str(fields["command"]), launch, next_launch)


@dataclass(frozen=True)
class Orders:
    """All that the host wants driven; `max_handovers` at once, 0 for no limit."""

    orders: list[Order] = field(default_factory=list)
    max_handovers: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return this as what `json.dumps` takes."""
        orders = [order.to_json() for order in self.orders]
        return {"orders": orders, "max_handovers": self.max_handovers}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Orders:
        """Read what `to_json` gave. Raises KeyError, TypeError or ValueError if it is not that."""
        orders = [Order.from_json(order) for order in fields["orders"]]
        return cls(orders, int(fields["max_handovers"]))
